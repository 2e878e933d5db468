package file

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// ErrIrregular is the error for a path without regular file. Reading it could block, or never end.
var ErrIrregular = errors.New("not a regular file")

// errStandardInput is the ErrIrregular for standard input.
var errStandardInput = fmt.Errorf("%w: standard input is not read; save it to a file and name that", ErrIrregular)

// Open opens a regular file for reading and returns its size. Pipes, sockets, devices and folders are refused before
// they are opened. Errors are *fs.PathError.
func Open(path string) (f *os.File, size int64, err error) {
	refuse := func(err error) (*os.File, int64, error) {
		return nil, 0, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	if standardInput(path) {
		return refuse(errStandardInput)
	}
	info, err := os.Stat(path) // before opening, which alone changes some devices
	if err != nil {
		return nil, 0, err
	}
	if err := regular(info); err != nil {
		return refuse(err)
	}
	if f, err = os.OpenFile(path, os.O_RDONLY|nonblock, 0); err != nil {
		return nil, 0, err
	}
	if info, err = f.Stat(); err == nil {
		err = regular(info) // it may be another file than a moment ago
	}
	if err != nil {
		_ = f.Close()
		return refuse(err)
	}
	return f, info.Size(), nil
}

// Check returns the error that Open would return for what is not a regular file, without opening it. It is nil if
// nothing exists there. folders says whether folders are accepted.
func Check(path string, folders bool) error {
	if standardInput(path) {
		return errStandardInput
	}
	if info, err := os.Stat(path); err == nil && !(folders && info.IsDir()) {
		return regular(info)
	}
	return nil
}

// Read returns the contents of a regular file of at most most bytes; a larger one is an error. Errors are
// *fs.PathError.
func Read(path string, most int64) ([]byte, error) {
	f, size, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	if size > most {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("it has %d bytes, more than the %d that are read", size, most)}
	}
	// A file whose system does not know its size, or that grows meanwhile, ends at most, too.
	data := make([]byte, 0, size+1)
	for {
		n, err := f.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case errors.Is(err, io.EOF):
			return data, nil
		case err != nil:
			return nil, err
		case int64(len(data)) > most:
			return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("it grew beyond the %d bytes that are read", most)}
		case len(data) == cap(data):
			data = append(data, 0)[:len(data)]
		}
	}
}

// TextMost is the largest size of a text file such as JSON, in bytes. Larger files are something else.
const TextMost = 1 << 30

// DocumentMost is the largest size of a protobuf message in a file, in bytes.
const DocumentMost = math.MaxInt32

// standardInput reports whether a path stands for standard input, or for another open file of the process.
func standardInput(path string) bool {
	clean := filepath.ToSlash(path)
	return clean == "-" || clean == "/dev/stdin" || strings.HasPrefix(clean, "/dev/fd/") || strings.HasPrefix(clean, "/proc/self/fd/")
}

// regular is ErrIrregular for anything but a regular file.
func regular(info fs.FileInfo) error {
	var kind string
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		return fmt.Errorf("%w but a folder", ErrIrregular)
	case mode&fs.ModeNamedPipe != 0:
		kind = "a pipe"
	case mode&fs.ModeSocket != 0:
		kind = "a socket"
	case mode&fs.ModeDevice != 0:
		kind = "a device"
	default:
		kind = "something else"
	}
	return fmt.Errorf("%w but %s; save its content to a file and name that", ErrIrregular, kind)
}
