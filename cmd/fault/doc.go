// Package fault holds tests of what goes wrong around the program: damaged models and samples, full and read-only
// disks, too little memory, kills and interrupts. Each wants a message that says what to do, and a workspace that stays
// valid.
package fault
