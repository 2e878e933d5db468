// Package progress shows how far a run is: a bar that is redrawn on a terminal, or occasional plain lines elsewhere. It
// knows events, not their meaning, and nothing depends on what it writes.
package progress
