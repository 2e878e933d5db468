// Package progress shows how far a run is: a bar that is redrawn on a terminal, plain lines now and then elsewhere. It
// knows events, not what they are about, and nothing depends on what it writes.
package progress
