package jetstream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Names of streams and subjects.
const (
	ControlStream  = "CONTROL"
	ControlSubject = "control"
	PeopleStream   = "PEOPLE"
	PeopleSubject  = "people"
	// LedgerFeedSubject begins the subjects on which the server repeats what enters
	// a journal: publishers do not share an account with the streams, and hear
	// nothing that they did not publish there themselves.
	LedgerFeedSubject = "journal"
)

// FlagsStream names the stream of the log of an environment.
func FlagsStream(environment string) string { return "FLAGS_" + environment }

// LedgerStream names the stream of the ledger of an environment.
func LedgerStream(environment string) string { return "LEDGER_" + environment }

// FlagsSubject begins the subjects of the log.
func FlagsSubject(environment string) string { return "flags." + environment }

// LedgerSubject begins the subjects of the ledger.
func LedgerSubject(environment string) string { return "ledger." + environment }

// SnapStream names the stream of the published snapshots.
func SnapStream(environment string) string { return "SNAP_" + environment }

func snapSubject(environment string) string { return "snap." + environment }

// ManifestSubject is that of the manifest.
func ManifestSubject(environment string) string { return snapSubject(environment) + ".manifest" }

// ChunkSubject begins the subjects of chunks.
func ChunkSubject(environment string) string { return snapSubject(environment) + ".chunk" }

// UsageSubject begins the subjects of what sidecars counted.
func UsageSubject(environment string) string { return "usage." + environment }

// UsageStream names the stream, in the account of publishers, of what sidecars counted.
func UsageStream(environment string) string { return "USAGE_" + environment }

// SeriesStream names the stream of the series that publishers keep.
func SeriesStream(environment string) string { return "SERIES_" + environment }

// SeriesSubject begins its subjects.
func SeriesSubject(environment string) string { return "series." + environment }

// FeedSubject begins the subjects on which the server repeats the log.
func FeedSubject(environment string) string { return "feed." + environment }

// StatusSubject begins the subjects of what sidecars say about themselves.
func StatusSubject(environment string) string { return "status." + environment }

// AskSubject begins the subjects of what publishers ask sidecars.
func AskSubject(environment string) string { return "ask." + environment }

// HeartbeatSubject is that of heartbeats.
func HeartbeatSubject(environment string) string { return "heartbeat." + environment }

// StreamConfig is the configuration of a stream in JetStream's terms: all
// settings of nats-server 2.15, so that none can differ unseen, except for the
// duplicate window and the placement, which are the operator's. Durations are
// nanoseconds.
type StreamConfig struct {
	Name                 string            `json:"name"`
	Description          string            `json:"description,omitzero"`
	Subjects             []string          `json:"subjects,omitempty"`
	Retention            string            `json:"retention"`
	MaxConsumers         int               `json:"max_consumers"`
	MaxMessages          int64             `json:"max_msgs"`
	MaxBytes             int64             `json:"max_bytes"`
	MaxAge               int64             `json:"max_age"`
	MaxPerSubject        int64             `json:"max_msgs_per_subject"`
	MaxMessageSize       int32             `json:"max_msg_size"`
	Discard              string            `json:"discard"`
	DiscardNewPerSubject bool              `json:"discard_new_per_subject,omitzero"`
	Storage              string            `json:"storage"`
	Replicas             int               `json:"num_replicas"`
	NoAck                bool              `json:"no_ack,omitzero"`
	Mirror               jsontext.Value    `json:"mirror,omitzero"`
	Sources              jsontext.Value    `json:"sources,omitzero"`
	Compression          string            `json:"compression"`
	FirstSequence        uint64            `json:"first_seq,omitzero"`
	SubjectTransform     jsontext.Value    `json:"subject_transform,omitzero"`
	RePublish            *republish        `json:"republish,omitzero"`
	Sealed               bool              `json:"sealed"`
	DenyDelete           bool              `json:"deny_delete"`
	DenyPurge            bool              `json:"deny_purge"`
	AllowRollup          bool              `json:"allow_rollup_hdrs"`
	AllowDirect          bool              `json:"allow_direct"`
	MirrorDirect         bool              `json:"mirror_direct"`
	ConsumerLimits       jsontext.Value    `json:"consumer_limits,omitzero"`
	AllowTTL             bool              `json:"allow_msg_ttl"`
	DeleteMarkerTTL      int64             `json:"subject_delete_marker_ttl,omitzero"`
	AllowCounter         bool              `json:"allow_msg_counter,omitzero"`
	AllowAtomic          bool              `json:"allow_atomic,omitzero"`
	AllowSchedules       bool              `json:"allow_msg_schedules,omitzero"`
	AllowBatched         bool              `json:"allow_batched,omitzero"`
	PersistMode          string            `json:"persist_mode,omitzero"`
	Metadata             map[string]string `json:"metadata,omitempty"`
}

type republish struct {
	Source      string `json:"src"`
	Destination string `json:"dest"`
	HeadersOnly bool   `json:"headers_only,omitzero"`
}

// newStreamConfig returns what our streams have in common: files, no limit,
// nothing can be taken out again.
func newStreamConfig(name, subject string, replicas int) StreamConfig {
	return StreamConfig{
		Name:           name,
		Subjects:       []string{subject + ".>"},
		Retention:      "limits",
		MaxConsumers:   -1,
		MaxMessages:    -1,
		MaxBytes:       -1,
		MaxPerSubject:  -1,
		MaxMessageSize: -1,
		Discard:        "old",
		Storage:        "file",
		Compression:    "none",
		Replicas:       replicas,
		DenyDelete:     true,
		DenyPurge:      true,
		AllowDirect:    true,
		AllowAtomic:    true,
	}
}

// FlagsConfig is the configuration of the stream of a log.
func FlagsConfig(environment string, replicas int) StreamConfig {
	c := newStreamConfig(FlagsStream(environment), FlagsSubject(environment), replicas)
	c.RePublish = &republish{Source: FlagsSubject(environment) + ".>", Destination: FeedSubject(environment) + ".>"}
	return c
}

// LedgerConfig is the configuration of the stream of a ledger.
func LedgerConfig(environment string, replicas int) StreamConfig {
	return ledgerConfig(LedgerStream(environment), LedgerSubject(environment), replicas)
}

// ledgerConfig is the configuration of a stream that publishers follow.
func ledgerConfig(name, subject string, replicas int) StreamConfig {
	c := newStreamConfig(name, subject, replicas)
	c.RePublish = &republish{Source: subject + ".>", Destination: LedgerFeedSubject + "." + subject + ".>"}
	return c
}

// SnapConfig is the one stream that forgets: a subject holds its newest message
// only, and what was replaced is purged.
func SnapConfig(environment string, replicas int) StreamConfig {
	c := newStreamConfig(SnapStream(environment), snapSubject(environment), replicas)
	c.MaxPerSubject = 1
	c.DenyDelete, c.DenyPurge, c.AllowAtomic = false, false, false
	return c
}

// ControlConfig is the configuration of CONTROL.
func ControlConfig(replicas int) StreamConfig {
	return ledgerConfig(ControlStream, ControlSubject, replicas)
}

// PeopleConfig is the stream of what is known about persons. Records hold a hash
// of it only, so that a person can be erased: a subject holds its newest message
// only, and messages can be deleted. It is not repeated anywhere.
func PeopleConfig(replicas int) StreamConfig {
	c := newStreamConfig(PeopleStream, PeopleSubject, replicas)
	c.MaxPerSubject = 1
	c.DenyDelete, c.DenyPurge, c.AllowAtomic = false, false, false
	return c
}

// UsageConfig is the configuration of the stream of reports. It forgets the oldest when it is full, and nothing that a message says of itself
// changes others: sidecars write to it.
func UsageConfig(environment string, replicas int, age time.Duration, bytes int64, message int32) StreamConfig {
	c := newStreamConfig(UsageStream(environment), UsageSubject(environment), replicas)
	c.MaxAge, c.MaxBytes, c.MaxMessageSize, c.Compression = int64(age), bytes, message, "s2"
	c.AllowAtomic = false
	return c
}

// SeriesConfig is the configuration of the stream of series: a subject holds its newest message only, until that expires.
func SeriesConfig(environment string, replicas int, bytes int64) StreamConfig {
	c := newStreamConfig(SeriesStream(environment), SeriesSubject(environment), replicas)
	c.MaxPerSubject, c.MaxBytes, c.AllowTTL = 1, bytes, true
	return c
}

// BucketConfig is the configuration of a stream of values by key: a subject holds its newest message only, until that expires, and there are no more
// subjects than values.
func BucketConfig(name, subject string, replicas int, values int64, bytes int32) StreamConfig {
	c := newStreamConfig(name, subject, replicas)
	c.MaxPerSubject, c.MaxMessages, c.MaxMessageSize, c.Discard = 1, values, bytes+bucketHeaders, "new"
	c.AllowTTL, c.AllowAtomic = true, false
	return c
}

// bucketHeaders is how many bytes a value may take beside itself.
const bucketHeaders = 1 << 10

// Verify returns [ErrStreamMismatch] with every setting in which the stream
// found differs from what it must be. The server's own metadata, the copy of
// the epoch and the duplicate window do not count.
func (c StreamConfig) Verify(found StreamConfig) error {
	want, have := c.settings(), found.settings()
	names := slices.Sorted(maps.Keys(want))
	for name := range have {
		if _, ok := want[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var differences []string
	for _, name := range names {
		if w, h := want[name], have[name]; w != h {
			differences = append(differences, fmt.Sprintf("%s is %s and must be %s", name, orUnset(h), orUnset(w)))
		}
	}
	if differences == nil {
		return nil
	}
	return fmt.Errorf("%w: %s: %s; put the settings back with \"nats stream edit %s\", or point to the NATS server this data belongs to",
		ErrStreamMismatch, c.Name, strings.Join(differences, ", "), c.Name)
}

// settings returns the members that say something, as JSON.
func (c StreamConfig) settings() map[string]string {
	c.Metadata = nil
	data, err := json.Marshal(c)
	if err != nil {
		return nil // not for a struct of strings and numbers
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(data, &members); err != nil {
		return nil
	}
	said := make(map[string]string, len(members))
	for name, value := range members {
		switch text := string(value); text {
		case "false", "0", `""`, "null", "[]", "{}":
		default:
			said[name] = text
		}
	}
	return said
}

func orUnset(value string) string {
	if value == "" {
		return "not set"
	}
	return value
}

// CreateStream creates a stream, or verifies the one that is there.
func (c Client) CreateStream(ctx context.Context, want StreamConfig) (*StreamInfo, error) {
	info, err := c.Info(ctx, want.Name)
	if err == nil {
		return info, want.Verify(info.Config)
	}
	if !HasCode(err, CodeStreamNotFound) {
		return nil, err
	}
	if err := c.StorageError(); err != nil {
		return nil, fmt.Errorf("create stream %s: %w", want.Name, err)
	}
	var created StreamInfo
	err = c.requestWithin(ctx, createTimeout, "STREAM.CREATE."+want.Name, want, &created)
	if HasCode(err, codeStreamNameInUse) { // another publisher was faster
		if info, err = c.Info(ctx, want.Name); err == nil {
			return info, want.Verify(info.Config)
		}
	}
	if fault := c.StorageError(); err != nil && fault != nil {
		err = fmt.Errorf("%w: %w", fault, err)
	}
	if err != nil {
		return nil, fmt.Errorf("create stream %s: %w", want.Name, err)
	}
	return &created, want.Verify(created.Config)
}

// KeepStream creates a stream, or gives the one that is there other settings if they differ.
func (c Client) KeepStream(ctx context.Context, want StreamConfig) (*StreamInfo, error) {
	info, err := c.CreateStream(ctx, want)
	if !errors.Is(err, ErrStreamMismatch) {
		return info, err
	}
	var updated StreamInfo
	if refused := c.requestWithin(ctx, createTimeout, "STREAM.UPDATE."+want.Name, want, &updated); refused != nil {
		return nil, fmt.Errorf("%w: %w", err, refused)
	}
	return &updated, want.Verify(updated.Config)
}

// OpenStream verifies a stream that must be there.
func (c Client) OpenStream(ctx context.Context, want StreamConfig) (*StreamInfo, error) {
	info, err := c.Info(ctx, want.Name)
	if HasCode(err, CodeStreamNotFound) {
		return nil, StreamLost(want.Name)
	}
	if err != nil {
		return nil, err
	}
	return info, want.Verify(info.Config)
}

// StreamLost returns [ErrStreamLost] with what can be done about it.
func StreamLost(stream string) error {
	if environment, ok := EnvironmentOfLedger(stream); ok {
		return fmt.Errorf("%w: %s: %s", ErrStreamLost, stream, LedgerRemedy(environment))
	}
	return fmt.Errorf("%w: %s: it is not created again, because sidecars would lose their flags to an empty log; "+
		"restore it from a backup of NATS, or recreate the environment from what this publisher knows, as a new epoch", ErrStreamLost, stream)
}

// EnvironmentOfLedger returns the environment whose ledger a stream holds, "" for CONTROL, if it holds one.
func EnvironmentOfLedger(stream string) (environment string, ok bool) {
	if stream == ControlStream {
		return "", true
	}
	return strings.CutPrefix(stream, LedgerStream(""))
}

// LedgerRemedy says what can be done about a ledger that is damaged or gone; the environment "" is for CONTROL.
func LedgerRemedy(environment string) string {
	which := "--control"
	if environment != "" {
		which = "--environment " + environment
	}
	return fmt.Sprintf("put the stream back from a backup of NATS, or go on behind the damage with \"flagside ledger repair %s --reason TEXT\"", which)
}
