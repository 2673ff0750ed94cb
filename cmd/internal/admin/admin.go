// Package admin is the control plane: API, metrics and dashboard. The data plane never imports it.
package admin
