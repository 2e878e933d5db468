// Package archtest enforces which packages of this module may import which, and who makes engine graphs. It holds no
// code.
package archtest
