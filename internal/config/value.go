package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/fileaccess"
)

// value is the typed side of an option: it reads text into the caller's variable and writes it out again.
type value interface {
	// set reads the texts given for the option: one for a scalar, any number for a list.
	set(texts []string) error
	// kind names the type in the usage text.
	kind() string
	// text writes the current value as on the command line.
	text() string
	// data returns the current value as it stands in a configuration file.
	data() any
	// fileKind returns the JSON kind that a configuration file must use.
	fileKind() fileKind
}

type stringValue struct{ p *string }

func (v stringValue) set(texts []string) error { *v.p = last(texts); return nil }
func (v stringValue) kind() string             { return "text" }
func (v stringValue) text() string             { return *v.p }
func (v stringValue) data() any                { return *v.p }
func (v stringValue) fileKind() fileKind       { return fileString }

type choiceValue struct {
	stringValue

	choices []string
}

// The types of options that are paths.
const (
	TypeFile      = "file"
	TypeDirectory = "directory"
)

type pathValue struct {
	stringValue

	of string // TypeFile or TypeDirectory
}

func (v pathValue) kind() string { return v.of }

func (v choiceValue) kind() string { return strings.Join(v.choices, "|") }

func (v choiceValue) set(texts []string) error {
	text := last(texts)
	if !slices.Contains(v.choices, text) {
		return fmt.Errorf("%q is not one of %s", text, strings.Join(v.choices, ", "))
	}
	*v.p = text
	return nil
}

type boolValue struct{ p *bool }

func (v boolValue) kind() string       { return "true|false" }
func (v boolValue) text() string       { return strconv.FormatBool(*v.p) }
func (v boolValue) data() any          { return *v.p }
func (v boolValue) fileKind() fileKind { return fileBool }

func (v boolValue) set(texts []string) error {
	switch text := last(texts); text {
	case "true":
		*v.p = true
	case "false":
		*v.p = false
	default:
		return fmt.Errorf("%q is neither true nor false", text)
	}
	return nil
}

type intValue struct{ p *int }

func (v intValue) kind() string       { return "number" }
func (v intValue) text() string       { return strconv.Itoa(*v.p) }
func (v intValue) data() any          { return *v.p }
func (v intValue) fileKind() fileKind { return fileNumber }

func (v intValue) set(texts []string) error {
	n, err := strconv.Atoi(last(texts))
	if err != nil {
		return fmt.Errorf("%q is not an integer", last(texts))
	}
	*v.p = n
	return nil
}

type durationValue struct{ p *time.Duration }

func (v durationValue) kind() string       { return "duration" }
func (v durationValue) text() string       { return v.p.String() }
func (v durationValue) data() any          { return v.p.String() }
func (v durationValue) fileKind() fileKind { return fileString }

func (v durationValue) set(texts []string) error {
	d, err := time.ParseDuration(last(texts))
	if err != nil || d < 0 {
		return fmt.Errorf("%q is not a duration such as 500ms, 2s or 1h30m", last(texts))
	}
	*v.p = d
	return nil
}

type addressValue struct{ stringValue }

func (v addressValue) kind() string { return "host:port" }

func (v addressValue) set(texts []string) error {
	text := last(texts)
	if _, err := splitAddress(text); err != nil {
		return err
	}
	*v.p = text
	return nil
}

type listenerValue struct{ stringValue }

func (v listenerValue) kind() string { return "host:port|unix:path|off,..." }

func (v listenerValue) set(texts []string) error {
	var all []string
	for _, text := range texts {
		if text == "" || text == "off" {
			all = nil // what was given before is taken back
			continue
		}
		for one := range strings.SplitSeq(text, ",") {
			if err := validListener(one); err != nil {
				return err
			}
			all = append(all, one)
		}
	}
	*v.p = cmp.Or(strings.Join(all, ","), "off")
	return nil
}

// validListener returns why something cannot be listened at.
func validListener(text string) error {
	path, isPath := strings.CutPrefix(text, "unix:")
	switch {
	case isPath && path == "":
		return errors.New("unix: needs the path of a socket, such as unix:/run/flagside/rpc.sock")
	case text == "off":
		return errors.New("off cannot stand beside an address")
	case isPath:
		return nil
	}
	if _, err := splitAddress(text); err != nil {
		return fmt.Errorf("%w, and neither unix:path nor off", err)
	}
	return nil
}

type listValue struct{ p *[]string }

func (v listValue) kind() string       { return "text,..." }
func (v listValue) text() string       { return strings.Join(*v.p, ",") }
func (v listValue) fileKind() fileKind { return fileList }

func (v listValue) data() any {
	if *v.p == nil {
		return []string{}
	}
	return *v.p
}

func (v listValue) set(texts []string) error {
	var items []string
	for _, text := range texts {
		for item := range strings.SplitSeq(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				items = append(items, item)
			}
		}
	}
	*v.p = items
	return nil
}

type mapValue struct{ p *map[string]string }

func (v mapValue) kind() string       { return "name=value" }
func (v mapValue) fileKind() fileKind { return fileMap }

func (v mapValue) text() string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(*v.p)) {
		pairs = append(pairs, name+"="+(*v.p)[name])
	}
	return strings.Join(pairs, ",")
}

func (v mapValue) data() any {
	if *v.p == nil {
		return map[string]string{}
	}
	return *v.p
}

func (v mapValue) set(texts []string) error {
	all := make(map[string]string)
	for _, text := range texts {
		pairs, err := pairsOf(text)
		if err != nil {
			return err
		}
		for name, value := range pairs {
			if _, repeated := all[name]; repeated {
				return fmt.Errorf("%q is given twice: leave one out", name)
			}
			all[name] = value
		}
	}
	*v.p = all
	return nil
}

// maxSecretBytes bounds the file of a secret; keys, tokens and certificates are far smaller.
const maxSecretBytes = 64 << 10

type secretValue struct {
	p    *Secret
	path *string
}

func (v secretValue) kind() string       { return TypeFile }
func (v secretValue) text() string       { return *v.path }
func (v secretValue) data() any          { return *v.path }
func (v secretValue) fileKind() fileKind { return fileString }

func (v secretValue) set(texts []string) error {
	path := last(texts)
	if _, err := fileaccess.VerifySecret(path); err != nil {
		return err
	}
	content, err := readLimited(path, maxSecretBytes)
	if err != nil {
		return err
	}
	text := strings.TrimRight(string(content), "\r\n")
	if text == "" {
		return fmt.Errorf("%s is empty: write the value into it", path)
	}
	*v.p, *v.path = Secret{text: text}, path
	return nil
}

// last returns the last of the texts, which are never empty: a repeated flag overrides itself.
func last(texts []string) string { return texts[len(texts)-1] }

// splitAddress returns the host of a host:port address whose port is a number.
func splitAddress(addr string) (host string, err error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("%q is not an address such as 127.0.0.1:8016 or [::1]:8016", addr)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", fmt.Errorf("the port of %q is not a number from 0 to 65535", addr)
	}
	return host, nil
}

// readLimited reads a file of at most limit bytes.
func readLimited(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, withoutOperation(path, err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, withoutOperation(path, err)
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return content, nil
}

// withoutOperation names the file and the cause of an error and leaves out the system call.
func withoutOperation(path string, err error) error {
	if cause, ok := errors.AsType[*os.PathError](err); ok {
		err = cause.Err
	}
	return fmt.Errorf("%s: %w", path, err)
}
