package changelog

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// errNotCanonical tells that an entry is not as this package writes it. It may be one
// all the same.
var errNotCanonical = errors.New("not the canonical form")

// canonicalEntry decodes entries as this package writes them, in one pass and
// without reflection, because every follower decodes every entry. It refuses
// more than [wireEntry] does, and never reads anything else into one.
type canonicalEntry struct{ wireEntry }

// UnmarshalJSONFrom implements json.UnmarshalerFrom. That in refuses members
// which come twice is its default.
func (u *canonicalEntry) UnmarshalJSONFrom(in *jsontext.Decoder) error {
	if begin, err := in.ReadToken(); err != nil || begin.Kind() != '{' {
		return errNotCanonical
	}
	for in.PeekKind() != '}' {
		name, err := in.ReadValue()
		if err != nil || len(name) < 2 {
			return errNotCanonical
		}
		var buffer [16]byte // the name is gone when the value is read
		key := append(buffer[:0], name[1:len(name)-1]...)
		value, err := in.ReadValue()
		if err != nil || !u.set(string(key), value) {
			return errNotCanonical
		}
	}
	_, err := in.ReadToken()
	return err
}

// set takes a member and reports whether it is as it should be.
func (u *canonicalEntry) set(name string, value jsontext.Value) (ok bool) {
	switch name {
	case "v":
		u.Version, ok = integer(value)
	case "environment":
		u.Environment, ok = text[string](value)
	case "revision":
		u.Revision, ok = number(value)
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
	case "state":
		ok = value.Kind() == '"' && u.State.UnmarshalText(value[1:len(value)-1]) == nil
	case "ledger":
		u.Ledger.Sequence, ok = numberAndDigest(value, "sequence", &u.Ledger.Digest)
	case "control":
		u.Control.Sequence, ok = numberAndDigest(value, "sequence", &u.Control.Digest)
	case "prev":
		u.Prev.Revision, ok = numberAndDigest(value, "revision", &u.Prev.Digest)
	}
	return ok
}

func integer(value jsontext.Value) (int, bool) {
	n, err := strconv.ParseUint(string(value), 10, 31)
	return int(n), err == nil
}

func number(value jsontext.Value) (uint64, bool) {
	n, err := strconv.ParseUint(string(value), 10, 64)
	return n, err == nil
}

// numberAndDigest reads an object of a number and a digest, in this order and
// without white space.
func numberAndDigest(value jsontext.Value, name string, digest *Digest) (uint64, bool) {
	rest, ok := bytes.CutPrefix(value, []byte(`{"`+name+`":`))
	digits, rest, ok2 := bytes.Cut(rest, []byte(`,"digest":"`))
	text, ok3 := bytes.CutSuffix(rest, []byte(`"}`))
	if !ok || !ok2 || !ok3 || digest.UnmarshalText(text) != nil {
		return 0, false
	}
	return number(digits)
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
