// Package archtest enforces, in one test, which packages of this module may import which. It holds no code.
package archtest
