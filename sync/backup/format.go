package backup

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

// A backup is, in this order:
//
//	the line "flagside backup 1"
//	parts: 4 bytes, big-endian: how long the content is; the content; 32 bytes: SHA-256 of the length and the content
//	4 zero bytes, and 32 bytes: SHA-256 of everything before them
//
// The content of a part is one byte, its kind, and one zstd frame. The first part is the header, the second may be the keys, all others hold
// messages of one stream each. Streams come in the order in which the header names them.
const (
	magic = "flagside backup 1\n"

	kindHeader   = 'h' // JSON: Header
	kindKeys     = 'k' // JSON: the files of a directory of keys, by name
	kindMessages = 'm' // the number of the stream in the header, then messages

	// partBytes is how much a part holds at least, before it is compressed, unless it is the last one of its stream.
	partBytes = 1 << 20
	// maxPart bounds the content of a part, compressed and not: a NATS server takes messages of at most 64 MiB.
	maxPart   = 80 << 20
	maxHeader = 8 << 20

	formatVersion = 1
)

// Header says what a backup holds. Its checkpoint is signed.
type Header struct {
	Version      int       `json:"backup"`
	Installation string    `json:"installation"`
	Time         time.Time `json:"time"` // by the clock of who made it
	Trust        string    `json:"trust"`
	// Checkpoint is a signed note that names the newest record of CONTROL, each ledger and each log.
	Checkpoint string   `json:"checkpoint"`
	Streams    []Stream `json:"streams"`
	// Keys tells that private keys are in the backup.
	Keys bool `json:"keys"`
}

// Stream is a stream in a backup.
type Stream struct {
	Name string `json:"name"`
	// Last is the sequence up to which it was copied; 0 is that there is no message.
	Last uint64 `json:"last"`
}

// Message is a message as a stream holds it. Its bytes are shared.
type Message struct {
	Sequence uint64
	Time     time.Time // when the stream took it; it proves nothing
	Subject  string
	Headers  []Field // by name, as far as they were stored with it
	Data     []byte
}

// Sequence yields messages of one stream in order. It ends with the first error.
type Sequence = iter.Seq2[Message, error]

// Field is a header of a message. A name may come several times.
type Field struct{ Name, Value string }

// DamagedError says where a backup is not what was written.
type DamagedError struct {
	Offset   int64  // in the file, of the part in question
	Stream   string // "" is before the first message
	Sequence uint64 // of the last message before it
	Reason   string
}

// Error implements error.
func (e *DamagedError) Error() string {
	at := fmt.Sprintf("the backup is damaged at byte %d", e.Offset)
	switch {
	case e.Stream == "":
	case e.Sequence == 0:
		at += fmt.Sprintf(" (the beginning of %s)", e.Stream)
	default:
		at += fmt.Sprintf(" (%s, behind message %d)", e.Stream, e.Sequence)
	}
	return at + ": " + e.Reason
}

func (h Header) validate() error {
	if h.Version != formatVersion {
		return fmt.Errorf("it has format %d, and this program knows format %d: use a newer one", h.Version, formatVersion)
	}
	if h.Installation == "" || h.Trust == "" || h.Checkpoint == "" {
		return errors.New("the header names no installation, trust file or checkpoint")
	}
	for i, s := range h.Streams {
		if _, err := settings(s.Name, 1); err != nil {
			return err
		}
		if slices.ContainsFunc(h.Streams[:i], func(other Stream) bool { return other.Name == s.Name }) {
			return fmt.Errorf("the header names %s twice", s.Name)
		}
	}
	return nil
}

// StreamNames returns the names of the streams of an installation that has some environments, in the order in which they are restored: what others refer
// to comes first. Snapshots are not among them, because publishers make new ones.
func StreamNames(environments ...string) []string {
	names := []string{jetstream.PeopleStream, jetstream.ControlStream}
	for _, e := range environments {
		names = append(names, jetstream.LedgerStream(e), jetstream.FlagsStream(e))
	}
	return names
}

// Environment returns the environment whose log a stream holds, if it holds one.
func Environment(stream string) (name string, ok bool) {
	name, ok = strings.CutPrefix(stream, jetstream.FlagsStream(""))
	return name, ok && flagsync.ValidateEnvironment(name) == nil
}

// subjectPrefix returns what the subjects of a stream begin with.
func subjectPrefix(config jetstream.StreamConfig) string {
	return strings.TrimSuffix(config.Subjects[0], ">")
}

// verifySubject refuses a message that its stream cannot have: a server would take it for something else, a request to itself even.
func verifySubject(stream, prefix, subject string) error {
	rest, ok := strings.CutPrefix(subject, prefix)
	if !ok || strings.ContainsAny(rest, " \t\r\n") || slices.Contains(strings.Split(rest, "."), "") {
		return fmt.Errorf("%s cannot have a message with the subject %.80q", stream, subject)
	}
	return nil
}

// IsPeople reports whether a stream is the one with the data of persons, which forgets, and whose sequences nothing names.
func IsPeople(stream string) bool { return stream == jetstream.PeopleStream }

// settings returns what a stream must be like.
func settings(stream string, replicas int) (jetstream.StreamConfig, error) {
	if stream == jetstream.PeopleStream {
		return jetstream.PeopleConfig(replicas), nil
	}
	if stream == jetstream.ControlStream {
		return jetstream.ControlConfig(replicas), nil
	}
	if e, ok := strings.CutPrefix(stream, jetstream.LedgerStream("")); ok && flagsync.ValidateEnvironment(e) == nil {
		return jetstream.LedgerConfig(e, replicas), nil
	}
	if e, ok := Environment(stream); ok {
		return jetstream.FlagsConfig(e, replicas), nil
	}
	return jetstream.StreamConfig{}, fmt.Errorf("%.80q is no stream of an installation", stream)
}
