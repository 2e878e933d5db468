//go:build cgo

package ort

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	runtime "github.com/yalue/onnxruntime_go"
)

// environment is onnxruntime's process-wide state: one library, opened at first use. It is never closed, since sessions
// of any goroutine may depend on it.
type environment struct {
	mu      sync.Mutex
	option  string
	started bool
	library string
	version string
}

// process is the only environment.
var process environment

// SetLibrary sets the path of the shared library; "" means the usual places. It is an error if another library runs
// already, or without cgo.
func SetLibrary(path string) error {
	process.mu.Lock()
	defer process.mu.Unlock()
	if process.started && path != "" && path != process.library {
		return fmt.Errorf("set onnxruntime library %s: %s is in use", path, process.library)
	}
	process.option = path
	return nil
}

// Available starts onnxruntime if needed. The error wraps ErrNoRuntime and says why it cannot be used.
func Available() error {
	process.mu.Lock()
	defer process.mu.Unlock()
	return process.start()
}

// Version is the version of the library, such as "1.28.2"; "" while none runs.
func Version() string {
	process.mu.Lock()
	defer process.mu.Unlock()
	return process.version
}

// Library is the path of the library that runs; "" while none does.
func Library() string {
	process.mu.Lock()
	defer process.mu.Unlock()
	return process.library
}

// Remedy says what to do where onnxruntime is not available.
const Remedy = "install onnxruntime and state its library with --onnxruntime PATH or MPQC_ONNXRUNTIME"

// start opens the first library that works.
func (e *environment) start() error {
	if e.started {
		return nil
	}
	var tried []string
	for _, p := range places(e.option) {
		if len(p.paths) == 0 {
			tried = append(tried, fmt.Sprintf("%s: not there", p.what))
		}
		for _, path := range p.paths {
			err := open(path)
			if err == nil {
				e.started, e.library, e.version = true, path, runtime.GetVersion()
				return nil
			}
			tried = append(tried, fmt.Sprintf("%s: %v", p.what, err))
			if p.stated {
				return fmt.Errorf("%w: %s", ErrNoRuntime, tried[0])
			}
		}
	}
	return fmt.Errorf("%w; looked for it in\n  --onnxruntime PATH: not given\n  %s: not set\n  %s", ErrNoRuntime, envLibrary, strings.Join(tried, "\n  "))
}

// open opens a library and initialises its environment.
func open(path string) error {
	runtime.SetSharedLibraryPath(path)
	// Errors come back as values; onnxruntime need not print them too.
	err := runtime.InitializeEnvironment(runtime.WithLogLevelFatal())
	if err == nil {
		return nil
	}
	if strings.Contains(err.Error(), "setting ORT API base") {
		return fmt.Errorf("%s is too old: version 1.24 or later is needed", path)
	}
	return errors.New(strings.TrimPrefix(err.Error(), "Platform-specific initialization failed: "))
}
