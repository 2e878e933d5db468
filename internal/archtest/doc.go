// Package archtest enforces which packages of this module may import which, who makes engine graphs, and how the
// documents are written. It holds no code.
package archtest
