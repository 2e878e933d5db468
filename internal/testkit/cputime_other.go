//go:build !unix

package testkit

import "time"

func cpuTime() time.Duration { return time.Duration(time.Now().UnixNano()) }
