package changelog

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// errUnusual tells that an entry is not as this package writes it. It may be one
// all the same.
var errUnusual = errors.New("an unusual form")

// usualEntry decodes entries as this package writes them, in one pass and
// without reflection, because every follower decodes every entry. It refuses
// more than [wireEntry] does, and never reads anything else into one.
type usualEntry struct{ wireEntry }

// UnmarshalJSONFrom implements json.UnmarshalerFrom. That in refuses members
// which come twice is its default.
func (u *usualEntry) UnmarshalJSONFrom(in *jsontext.Decoder) error {
	if begin, err := in.ReadToken(); err != nil || begin.Kind() != '{' {
		return errUnusual
	}
	for in.PeekKind() != '}' {
		name, err := in.ReadValue()
		if err != nil || len(name) < 2 {
			return errUnusual
		}
		var buffer [16]byte // the name is gone when the value is read
		key := append(buffer[:0], name[1:len(name)-1]...)
		value, err := in.ReadValue()
		if err != nil || !u.set(string(key), value) {
			return errUnusual
		}
	}
	_, err := in.ReadToken()
	return err
}

// set takes a member and reports whether it is as it should be.
func (u *usualEntry) set(name string, value jsontext.Value) (ok bool) {
	switch name {
	case "v":
		u.Version, ok = integer(value)
	case "epoch":
		u.Epoch, ok = text[Epoch](value)
	case "op":
		u.OpID, ok = text[string](value)
	case "kind":
		u.Kind, ok = kind(value)
	case "key":
		u.Key, ok = text[string](value)
	case "i":
		u.Index, ok = integer(value)
	case "n":
		u.Count, ok = integer(value)
	case "put":
		u.Put, ok = bytes.Clone(value), true
	case "delete":
		u.Delete, ok = true, value.Kind() == 't'
	case "actor":
		u.Actor, ok = text[string](value)
	case "approvers":
		ok = json.Unmarshal(value, &u.Approvers) == nil
	case "reason":
		u.Reason, ok = text[string](value)
	case "request":
		u.Request, ok = text[string](value)
	case "time":
		ok = value.Kind() == '"' && u.Time.UnmarshalJSON(value) == nil
	case "prev":
		ok = len(value) > 2 && u.Prev.UnmarshalText(value[1:len(value)-1]) == nil
	}
	return ok
}

func integer(value jsontext.Value) (int, bool) {
	n, err := strconv.ParseUint(string(value), 10, 31)
	return int(n), err == nil
}

// text returns a string that holds no escapes.
func text[T ~string](value jsontext.Value) (T, bool) {
	if value.Kind() != '"' || bytes.IndexByte(value, '\\') >= 0 {
		return "", false
	}
	return T(value[1 : len(value)-1]), true
}

// kind returns one of the constants, so that entries share it.
func kind(value jsontext.Value) (Kind, bool) {
	switch string(value) {
	case `"flag"`:
		return KindFlag, true
	case `"segment"`:
		return KindSegment, true
	case `"settings"`:
		return KindSettings, true
	default:
		return "", false
	}
}
