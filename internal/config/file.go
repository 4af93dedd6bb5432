package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// maxFileBytes bounds a configuration file.
const maxFileBytes = 1 << 20

// fileKind is the JSON kind that an option has in a configuration file.
type fileKind string

const (
	fileString fileKind = "a string"
	fileNumber fileKind = "a number"
	fileBool   fileKind = "true or false"
	fileList   fileKind = "an array of strings"
	fileMap    fileKind = "an object of strings"
)

// fileEntry is the value of one option in a configuration file.
type fileEntry struct {
	texts []string
	place string
}

// readFile returns what the configuration file says, nothing if there is none.
func (s *Set) readFile() (map[string]fileEntry, error) {
	if s.file == "" {
		return nil, nil
	}
	content, err := readLimited(s.file, maxFileBytes)
	if err != nil {
		return nil, fmt.Errorf("configuration file %w", err)
	}
	kinds := make(map[string]fileKind, len(s.options))
	for _, option := range s.options {
		kinds[option.Name] = option.value.fileKind()
	}
	return decodeFile(s.file, content, kinds)
}

// decodeFile reads one JSON object whose members are options by name. It stops at the first mistake, because what follows one in a
// JSON text cannot be trusted.
func decodeFile(path string, content []byte, kinds map[string]fileKind) (map[string]fileEntry, error) {
	f := fileDecoder{path: path, content: content, tokens: jsontext.NewDecoder(bytes.NewReader(content))}
	if err := f.expectObject(); err != nil {
		return nil, err
	}
	entries := make(map[string]fileEntry)
	for f.tokens.PeekKind() != jsontext.KindEndObject {
		name, place, err := f.name()
		if err != nil {
			return nil, err
		}
		kind, known := kinds[name]
		if !known {
			return nil, fmt.Errorf("%s: unknown option %q", place, name)
		}
		texts, err := f.texts(name, kind)
		if err != nil {
			return nil, err
		}
		entries[name] = fileEntry{texts, place}
	}
	return entries, f.expectEnd()
}

// fileDecoder reads a configuration file token by token and knows where it is.
type fileDecoder struct {
	path    string
	content []byte
	tokens  *jsontext.Decoder
	// start is the offset of the token that was read last.
	start int64
}

// next reads one token.
func (f *fileDecoder) next() (jsontext.Token, error) {
	ahead := f.content[f.tokens.InputOffset():]
	f.start = f.tokens.InputOffset() + int64(len(ahead)-len(bytes.TrimLeft(ahead, " \t\r\n,:")))
	token, err := f.tokens.ReadToken()
	if err != nil {
		return jsontext.Token{}, f.syntaxError(err)
	}
	return token, nil
}

func (f *fileDecoder) expectObject() error {
	token, err := f.next()
	if err != nil {
		return err
	}
	if token.Kind() != jsontext.KindBeginObject {
		return fmt.Errorf("%s: the file must be one JSON object with options by name", f.place())
	}
	return nil
}

// expectEnd reads the end of the object and makes sure that nothing follows it.
func (f *fileDecoder) expectEnd() error {
	if _, err := f.next(); err != nil {
		return err
	}
	rest := f.content[f.tokens.InputOffset():]
	if len(bytes.TrimLeft(rest, " \t\r\n")) == 0 {
		return nil
	}
	return fmt.Errorf("%s: the file must be one JSON object and nothing else", f.placeAt(f.tokens.InputOffset()))
}

// name reads the next member's name and returns it with its place.
func (f *fileDecoder) name() (name, place string, err error) {
	token, err := f.next()
	if err != nil {
		return "", "", err
	}
	return token.String(), f.place(), nil
}

// texts reads a member's value, which must be of the kind.
func (f *fileDecoder) texts(name string, kind fileKind) ([]string, error) {
	token, err := f.next()
	if err != nil {
		return nil, err
	}
	if kind == fileList && token.Kind() == jsontext.KindBeginArray {
		return f.list(name)
	}
	if kind == fileMap && token.Kind() == jsontext.KindBeginObject {
		return f.object(name)
	}
	if !matches(kind, token.Kind()) {
		return nil, fmt.Errorf("%s: option %q must be %s", f.place(), name, kind)
	}
	return []string{token.String()}, nil
}

// list reads the items and the end of an array of strings.
func (f *fileDecoder) list(name string) ([]string, error) {
	items := []string{}
	for {
		token, err := f.next()
		if err != nil {
			return nil, err
		}
		switch token.Kind() {
		case jsontext.KindEndArray:
			return items, nil
		case jsontext.KindString:
			items = append(items, token.String())
		default:
			return nil, fmt.Errorf("%s: option %q must be %s", f.place(), name, fileList)
		}
	}
}

// object reads the members and the end of an object of strings, and returns its text.
func (f *fileDecoder) object(name string) ([]string, error) {
	begin := f.start
	for {
		token, err := f.next()
		if err != nil {
			return nil, err
		}
		if token.Kind() == jsontext.KindEndObject {
			return []string{string(f.content[begin:f.tokens.InputOffset()])}, nil
		}
		if token, err = f.next(); err != nil {
			return nil, err
		}
		if token.Kind() != jsontext.KindString {
			return nil, fmt.Errorf("%s: option %q must be %s", f.place(), name, fileMap)
		}
	}
}

// matches reports whether a scalar of the JSON kind got may stand for an option of kind.
func matches(kind fileKind, got jsontext.Kind) bool {
	switch kind {
	case fileString:
		return got == jsontext.KindString
	case fileNumber:
		return got == jsontext.KindNumber
	case fileBool:
		return got == jsontext.KindTrue || got == jsontext.KindFalse
	default:
		return false
	}
}

// syntaxError says where and why the text is no JSON.
func (f *fileDecoder) syntaxError(err error) error {
	offset := f.start
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		offset, err = syntactic.ByteOffset, syntactic.Err
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%s: %w", f.placeAt(offset), err)
}

// place returns the place of the token that was read last.
func (f *fileDecoder) place() string {
	return f.placeAt(f.start)
}

// placeAt returns path:line:column of a byte offset, both counted from 1.
func (f *fileDecoder) placeAt(offset int64) string {
	before := f.content[:min(int(offset), len(f.content))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Sprintf("%s:%d:%d", f.path, line, column)
}
