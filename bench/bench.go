// Command bench measures Sluice against its peers, as a black box. It imports no package of Sluice.
package main

func main() {}
