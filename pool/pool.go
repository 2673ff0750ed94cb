// Package pool answers which node gets a session, and whether it is fit for one.
package pool
