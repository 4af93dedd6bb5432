package status

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
)

// Version is the format of reports.
const Version = 1

// Interval is how often a sidecar reports while nothing changes, on average: each
// pause is up to a fifth longer or shorter.
const Interval = 10 * time.Second

// The limits of a report.
const (
	// MaxBytes is the size of a message.
	MaxBytes = 4 << 10
	// MaxText is how many bytes the name of a pod, a node or a host may have, as in
	// Kubernetes; MaxLabel is the same for what is a label there, or short elsewhere.
	MaxText  = 253
	MaxLabel = 63
	// MaxLabels, MaxConditions, MaxFaces and MaxFlags are how many of each a report names.
	MaxLabels     = 8
	MaxConditions = 32
	MaxFaces      = 8
	MaxFlags      = 16
)

// FaceSync is the face of the clients that get the documents and evaluate by
// themselves, in [Report.Clients].
const FaceSync = "flagd-sync"

// Kind says why a report is sent.
type Kind string

// The kinds of reports.
const (
	// KindState is a whole report.
	KindState Kind = "state"
	// KindAck tells only that another revision is served. Who the sidecar is stands in its
	// last whole report.
	KindAck Kind = "ack"
	// KindBye is the last report of a process that ends in order.
	KindBye Kind = "bye"
)

// Identity is who a sidecar is, as far as it was told. All members may be empty.
type Identity struct {
	Pod       string `json:"pod,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Node      string `json:"node,omitempty"`
	Zone      string `json:"zone,omitempty"`
	Host      string `json:"host,omitempty"` // name of the machine, which is the pod in Kubernetes
	// Application is what the sidecar answers for, and ApplicationVersion its version.
	Application        string            `json:"application,omitempty"`
	ApplicationVersion string            `json:"applicationVersion,omitempty"`
	Labels             map[string]string `json:"labels,omitempty"`
	Program            string            `json:"program,omitempty"` // version of the sidecar
}

// Report is what a sidecar says. Unknown members are ignored, because it will grow.
type Report struct {
	Version int    `json:"v"`
	Kind    Kind   `json:"kind"`
	Boot    string `json:"boot"` // random id of the process, see NewBoot
	N       uint64 `json:"n"`    // grows with every report of the process

	// Position is what is served, and State the digest of the documents there. They are
	// zero for flags that never were in a log.
	Position changelog.Position `json:"position,omitzero"`
	State    changelog.Digest   `json:"state,omitzero"`

	Identity Identity `json:"identity,omitzero"`
	// Serving is the serving state, such as live. What follows is empty in an ack.
	Serving    string         `json:"serving,omitempty"`
	AgeMs      *int64         `json:"ageMs,omitempty"`      // of what is served; nil if not known
	UpMs       int64          `json:"upMs,omitzero"`        // how long the process has run
	Conditions []string       `json:"conditions,omitempty"` // codes of what is wrong
	Clients    map[string]int `json:"clients,omitempty"`    // connected clients by face
	Flags      int            `json:"flags,omitzero"`
	// Refused is how many documents could not be compiled, so that an older version is
	// served or none; RefusedKeys names the first of them.
	Refused     int      `json:"refused,omitzero"`
	RefusedKeys []string `json:"refusedKeys,omitempty"`
}

// NewBoot returns a random id for a process.
func NewBoot() string { return rand.Text() }

// bootLength is how many characters an id has: base32 of 128 bits and a little.
const bootLength = 26

// ValidateBoot reports what is wrong with the spelling of an id.
func ValidateBoot(boot string) error {
	if len(boot) != bootLength || strings.Trim(boot, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		return fmt.Errorf("boot id %q is not %d characters of A to Z and 2 to 7", Cut(boot, MaxLabel), bootLength)
	}
	return nil
}

// WholeShare is the share that means every sidecar.
const WholeShare = 1 << 16

// Within reports whether a process belongs to a share of the fleet, from 0 for no one
// to [WholeShare] for everyone. A process that belongs to a share belongs to every
// larger one.
func Within(boot string, share uint32) bool {
	sum := sha256.Sum256([]byte(boot))
	return uint32(binary.BigEndian.Uint16(sum[:])) < share
}

// ErrVersion is returned for reports in a format that is not known here.
var ErrVersion = errors.New("a report of another format")

// Encode returns the bytes of a report. What is too long is shortened: texts are cut,
// and of lists and labels as many stay as a message may have.
func Encode(r Report) ([]byte, error) {
	r.Version = Version
	r.shorten()
	for {
		data, err := json.Marshal(r, json.Deterministic(true))
		if err != nil {
			return nil, fmt.Errorf("status report: %w", err)
		}
		if len(data) <= MaxBytes {
			return data, r.validate()
		}
		if !r.dropOne() {
			return nil, fmt.Errorf("status report: %d bytes, at most %d are allowed", len(data), MaxBytes)
		}
	}
}

// Decode decodes a report and refuses what exceeds a limit.
func Decode(data []byte) (Report, error) {
	var r Report
	if len(data) > MaxBytes {
		return r, fmt.Errorf("status report: %d bytes, at most %d are allowed", len(data), MaxBytes)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return Report{}, fmt.Errorf("status report: %w", err)
	}
	if err := r.validate(); err != nil {
		return Report{}, err
	}
	return r, nil
}

func (r *Report) validate() error {
	if r.Version != Version {
		return fmt.Errorf("status report: format %d: %w", r.Version, ErrVersion)
	}
	if err := ValidateBoot(r.Boot); err != nil {
		return fmt.Errorf("status report: %w", err)
	}
	switch r.Kind {
	case KindState, KindAck, KindBye:
	default:
		return fmt.Errorf("status report: kind %q is unknown", Cut(string(r.Kind), MaxLabel))
	}
	if !r.Position.IsZero() {
		if err := r.Position.Epoch.Validate(); err != nil {
			return fmt.Errorf("status report: %w", err)
		}
	}
	if r.UpMs < 0 || r.Flags < 0 || r.Refused < 0 || r.AgeMs != nil && *r.AgeMs < 0 {
		return errors.New("status report: a negative number")
	}
	return errors.Join(r.validateTexts(), r.validateLists())
}

func (r *Report) validateTexts() error {
	for text, most := range r.texts() {
		if len(*text) > most {
			return fmt.Errorf("status report: a text of %d bytes, at most %d are allowed", len(*text), most)
		}
	}
	for name, value := range r.Identity.Labels {
		if len(name) > MaxText || len(value) > MaxLabel {
			return errors.New("status report: a label that is too long")
		}
	}
	return nil
}

func (r *Report) validateLists() error {
	for _, list := range []struct {
		n, most int
		what    string
	}{
		{len(r.Identity.Labels), MaxLabels, "labels"},
		{len(r.Conditions), MaxConditions, "conditions"},
		{len(r.Clients), MaxFaces, "faces"},
		{len(r.RefusedKeys), MaxFlags, "refused flags"},
	} {
		if list.n > list.most {
			return fmt.Errorf("status report: %d %s, at most %d are allowed", list.n, list.what, list.most)
		}
	}
	for _, code := range r.Conditions {
		if len(code) > MaxLabel {
			return errors.New("status report: a condition that is too long")
		}
	}
	for _, key := range r.RefusedKeys {
		if len(key) > document.MaxKey {
			return errors.New("status report: a key that is too long")
		}
	}
	for face, n := range r.Clients {
		if len(face) > MaxLabel || n < 0 {
			return errors.New("status report: clients that cannot be")
		}
	}
	return nil
}

// texts returns the texts of a report with the number of bytes that each may have.
func (r *Report) texts() map[*string]int {
	who := &r.Identity
	return map[*string]int{
		&who.Pod: MaxText, &who.Namespace: MaxLabel, &who.Node: MaxText, &who.Zone: MaxLabel, &who.Host: MaxText,
		&who.Application: MaxLabel, &who.ApplicationVersion: MaxLabel, &who.Program: MaxLabel, &r.Serving: MaxLabel,
	}
}

// shorten makes texts and lists as short as they may be.
func (r *Report) shorten() {
	for text, most := range r.texts() {
		*text = Cut(Plain(*text), most)
	}
	r.Identity.Labels = firstLabels(r.Identity.Labels)
	r.Conditions = r.Conditions[:min(len(r.Conditions), MaxConditions)]
	r.RefusedKeys = r.RefusedKeys[:min(len(r.RefusedKeys), MaxFlags)]
}

// dropOne removes what is missed least, and reports whether there was anything.
func (r *Report) dropOne() bool {
	switch {
	case len(r.RefusedKeys) > 0:
		r.RefusedKeys = r.RefusedKeys[:len(r.RefusedKeys)-1]
	case len(r.Identity.Labels) > 0:
		r.Identity.Labels = nil
	case len(r.Conditions) > 0:
		r.Conditions = r.Conditions[:len(r.Conditions)-1]
	default:
		return false
	}
	return true
}

// Plain returns a text without control characters, so that its bytes bound those of its JSON.
func Plain(text string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return utf8.RuneError
		}
		return c
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

// firstLabels returns the first labels by name, with no text that is too long.
func firstLabels(all map[string]string) map[string]string {
	if len(all) == 0 {
		return nil
	}
	names := slices.Sorted(maps.Keys(all))
	few := make(map[string]string)
	for _, name := range names[:min(len(names), MaxLabels)] {
		few[Cut(Plain(name), MaxText)] = Cut(Plain(all[name]), MaxLabel)
	}
	return few
}

// Cut returns the first bytes of a text as valid UTF-8.
func Cut(text string, most int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}
