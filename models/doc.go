// Package models knows what surrounds a network: how pictures become its input, and the embedded example that mpqc
// works on when it is given nothing else. It does not read pictures (models/dataset does) and does not run networks.
package models
