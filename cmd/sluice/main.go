// Command sluice is a Layer-4 load balancer for object storage.
package main

func main() {}
