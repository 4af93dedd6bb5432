package changelog

import (
	"bytes"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
)

// readCanonical decodes an entry as this package writes it: members in their
// order, no white space, no escapes outside of the document. It is one pass
// without reflection, because every follower decodes every entry. It reports
// whether the entry has that form, and never reads anything into one that
// [wireEntry] does not. An entry of another form may be one all the same.
func readCanonical(data []byte) (w wireEntry, ok bool) {
	s := scanner{rest: data}
	w.Version = int(s.number(`{"v":`))
	w.Environment = string(s.text(`,"environment":`))
	w.Epoch = Epoch(s.text(`,"epoch":`))
	w.Revision = s.number(`,"revision":`)
	w.OpID = string(s.text(`,"op":`))
	w.Kind = kind(s.text(`,"kind":`))
	w.Key = string(s.text(`,"key":`))
	w.Index = int(s.number(`,"i":`))
	w.Count = int(s.number(`,"n":`))
	if s.has(`,"put":`) {
		w.Put = bytes.Clone(s.value(`,"put":`))
	}
	if s.has(`,"delete":`) {
		s.skip(`,"delete":true`)
		w.Delete = true
	}
	if s.has(`,"state":`) {
		s.digest(`,"state":`, &w.State)
	}
	if s.has(`,"actor":`) {
		w.Actor = string(s.text(`,"actor":`))
	}
	if s.has(`,"approvers":`) && json.Unmarshal(s.value(`,"approvers":`), &w.Approvers) != nil {
		return w, false
	}
	if s.has(`,"reason":`) {
		w.Reason = string(s.text(`,"reason":`))
	}
	if s.has(`,"request":`) {
		w.Request = string(s.text(`,"request":`))
	}
	w.Time = s.time(`,"time":`)
	w.Ledger, w.Control = s.anchors()
	w.Prev.Revision = s.numberAndDigest(`,"prev":{"revision":`, &w.Prev.Digest)
	s.skip("}")
	return w, s.done()
}

// kind returns one of the constants where it can, so that entries share it.
func kind(text []byte) document.Kind {
	switch string(text) {
	case string(document.KindFlag):
		return document.KindFlag
	case string(document.KindSegment):
		return document.KindSegment
	case string(document.KindSettings):
		return document.KindSettings
	default:
		return document.Kind(text)
	}
}

// scanner reads JSON of a known form from the front. Each of its methods takes what
// must come before the value: a comma and the name of a member. What it returns
// shares the data. After something else was met it is broken, and returns zeros.
type scanner struct {
	rest   []byte
	broken bool
}

// has reports whether text comes next.
func (s *scanner) has(text string) bool {
	return len(s.rest) >= len(text) && string(s.rest[:len(text)]) == text
}

func (s *scanner) skip(text string) {
	if s.broken || !s.has(text) {
		s.broken, s.rest = true, nil
		return
	}
	s.rest = s.rest[len(text):]
}

// take returns the next n bytes.
func (s *scanner) take(n int) []byte {
	taken := s.rest[:n:n]
	s.rest = s.rest[n:]
	return taken
}

func (s *scanner) number(before string) uint64 {
	s.skip(before)
	n := 0
	for n < len(s.rest) && '0' <= s.rest[n] && s.rest[n] <= '9' {
		n++
	}
	digits := s.take(n)
	value, err := strconv.ParseUint(string(digits), 10, 63)
	if err != nil || digits[0] == '0' && n > 1 {
		s.broken, s.rest = true, nil
		return 0
	}
	return value
}

// text returns a string without escapes, and without its quotes.
func (s *scanner) text(before string) []byte {
	s.skip(before)
	s.skip(`"`)
	for i, c := range s.rest {
		switch {
		case c == '"':
			text := s.take(i)
			s.skip(`"`)
			s.broken = s.broken || !utf8.Valid(text)
			return text
		case c == '\\' || c < ' ':
			s.broken, s.rest = true, nil
			return nil
		}
	}
	s.broken, s.rest = true, nil
	return nil
}

// time returns a time in the only form in which it is written.
func (s *scanner) time(before string) time.Time {
	var buffer [len(time.RFC3339Nano)]byte
	text := s.text(before)
	t, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil || string(t.AppendFormat(buffer[:0], time.RFC3339Nano)) != string(text) {
		s.broken, s.rest = true, nil
		return time.Time{}
	}
	return t
}

func (s *scanner) digest(before string, digest *Digest) {
	if digest.UnmarshalText(s.text(before)) != nil {
		s.broken, s.rest = true, nil
	}
}

// numberAndDigest reads what is left of an object after its first name.
func (s *scanner) numberAndDigest(before string, digest *Digest) uint64 {
	number := s.number(before)
	s.digest(`,"digest":`, digest)
	s.skip("}")
	return number
}

// anchors reads the two members, each of which may be missing.
func (s *scanner) anchors() (ledger, control Anchor) {
	if s.has(`,"ledger":`) {
		ledger.Sequence = s.numberAndDigest(`,"ledger":{"sequence":`, &ledger.Digest)
	}
	if s.has(`,"control":`) {
		control.Sequence = s.numberAndDigest(`,"control":{"sequence":`, &control.Digest)
	}
	return ledger, control
}

// done reports whether everything was read and was of the form.
func (s *scanner) done() bool { return !s.broken && len(s.rest) == 0 }

// value returns an object, an array or a string that is valid JSON and repeats no
// member.
func (s *scanner) value(before string) []byte {
	s.skip(before)
	value := s.take(endOfValue(s.rest))
	if !jsontext.Value(value).IsValid() {
		s.broken, s.rest = true, nil
		return nil
	}
	return value
}

// endOfValue returns how long the object, the array or the string at the front is
// if it is one, zero if it does not end.
func endOfValue(data []byte) int {
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
			continue
		case c == '"':
			quoted = !quoted
		case quoted:
			continue
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if depth == 0 && !quoted {
			return i + 1
		}
	}
	return 0
}
