package workspace

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
)

// trailer matches the end of a sealed document, which holds the SHA-256 of all bytes before it.
var trailer = regexp.MustCompile(`,\n  "checksum": "([0-9a-f]{64})"\n}\n$`)

// seal encodes a struct as indented JSON with a checksum.
func seal(v any) ([]byte, error) {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, err
	}
	body := bytes.TrimSuffix(data, []byte("\n}"))
	sum := sha256.Sum256(body)
	return fmt.Appendf(body, ",\n  \"checksum\": %q\n}\n", hex.EncodeToString(sum[:])), nil
}

// unseal decodes what seal wrote, or JSON without a checksum. A damaged checksum shows as an unknown member.
func unseal(data []byte, v any) error {
	if at := trailer.FindSubmatchIndex(data); at != nil {
		if sum := sha256.Sum256(data[:at[0]]); hex.EncodeToString(sum[:]) != string(data[at[2]:at[3]]) {
			return errors.New("its checksum is not that of its content")
		}
		return json.Unmarshal(data, v)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return err
	}
	known := map[string]bool{}
	for t, i := reflect.TypeOf(v).Elem(), 0; i < t.NumField(); i++ {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		known[name] = true
	}
	for name := range members {
		if !known[name] {
			return fmt.Errorf("it has no whole checksum, and a member %q", name)
		}
	}
	return json.Unmarshal(data, v)
}
