package ort

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
)

// errWire says that bytes are not a protobuf message.
var errWire = errors.New("not a protobuf message")

// readInterface lists inputs, without initializers, and outputs of a serialised model. onnxruntime_go would load the
// model a second time for that, and package onnx stands above this one. So the few fields are read from the wire format
// here (onnx.proto: ModelProto 7, GraphProto 5, 11 and 12).
func readInterface(model []byte) (inputs, outputs []Value, err error) {
	constant := map[string]bool{}
	graph := func(num int, b []byte) error {
		switch num {
		case 5: // initializer; TensorProto.name is 8
			return fields(b, func(num int, b []byte, _ uint64) error {
				if num == 8 {
					constant[string(b)] = true
				}
				return nil
			})
		case 11, 12:
			v, err := readValue(b)
			if err != nil {
				return err
			}
			if num == 11 {
				inputs = append(inputs, v)
			} else {
				outputs = append(outputs, v)
			}
		}
		return nil
	}
	err = fields(model, func(num int, b []byte, _ uint64) error {
		if num != 7 {
			return nil
		}
		return fields(b, func(num int, b []byte, _ uint64) error { return graph(num, b) })
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read model interface: %w", err)
	}
	free := inputs[:0]
	for _, v := range inputs {
		if !constant[v.Name] {
			free = append(free, v)
		}
	}
	if len(free) == 0 || len(outputs) == 0 {
		return nil, nil, fmt.Errorf("read model interface: %d inputs and %d outputs", len(free), len(outputs))
	}
	return free, outputs, nil
}

// readValue reads a ValueInfoProto: name 1, type 2 (tensor_type 1: elem_type 1, shape 2).
func readValue(b []byte) (Value, error) {
	var v Value
	tensorType := func(num int, b []byte, x uint64) error {
		switch num {
		case 1:
			v.DType = tensor.DType(x)
		case 2:
			v.Shape = tensor.Shape{}
			return fields(b, func(num int, b []byte, _ uint64) error {
				if num != 1 {
					return nil
				}
				dim := -1
				err := fields(b, func(num int, _ []byte, x uint64) error {
					if num == 1 && x < 1<<31 {
						dim = int(x)
					}
					return nil
				})
				v.Shape = append(v.Shape, dim)
				return err
			})
		}
		return nil
	}
	err := fields(b, func(num int, b []byte, _ uint64) error {
		switch num {
		case 1:
			v.Name = string(b)
		case 2:
			return fields(b, func(num int, b []byte, _ uint64) error {
				if num != 1 {
					return nil
				}
				return fields(b, tensorType)
			})
		}
		return nil
	})
	return v, err
}

// fields calls visit for every field of a message: b for length-delimited fields, x for varints.
func fields(msg []byte, visit func(num int, b []byte, x uint64) error) error {
	for len(msg) > 0 {
		tag, n := binary.Uvarint(msg)
		if n <= 0 {
			return errWire
		}
		msg = msg[n:]
		var body []byte
		var x uint64
		var size int
		switch tag & 7 {
		case 0:
			if x, size = binary.Uvarint(msg); size <= 0 {
				return errWire
			}
		case 1:
			size = 8
		case 2:
			length, n := binary.Uvarint(msg)
			if n <= 0 || length > uint64(len(msg)-n) {
				return errWire
			}
			size = n + int(length)
			body = msg[n:size]
		case 5:
			size = 4
		default:
			return errWire
		}
		if size > len(msg) {
			return errWire
		}
		msg = msg[size:]
		if err := visit(int(tag>>3), body, x); err != nil {
			return err
		}
	}
	return nil
}
