// Package models knows what surrounds a network: how images become its input, and the embedded example that mpqc uses
// if it is given nothing else. It does not read images (models/dataset does) and does not run networks.
package models
