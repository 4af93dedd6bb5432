package usage

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/status"
)

// Version is the format of reports.
const Version = 1

// The limits of a report.
const (
	// MaxBytes is the size of a message.
	MaxBytes = 512 << 10
	// MaxName is how many bytes the name of a pod may have, and MaxLabel that of a namespace,
	// an application or a version.
	MaxName  = 253
	MaxLabel = 63
	// MaxNotFound is how many keys of flags that do not exist a report names.
	MaxNotFound = 200
	// maxKey is how many bytes such a key may have, and maxVariant the name of a variant.
	maxKey     = document.MaxKey
	maxVariant = 1 << 10
	maxClients = 8
)

// Report is what a sidecar counted in some time. Unknown members are ignored, because
// it will grow.
type Report struct {
	Version int `json:"v"`
	// Boot is the random id of the process that its status reports have, and N numbers its reports from 1. Together they
	// tell a report that comes twice.
	Boot string `json:"boot"`
	N    uint64 `json:"n"`
	// From and To are the time of the counts, by the clock of the sidecar.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Epoch is the epoch of the revisions; empty for flags that never were in a log.
	Epoch string `json:"epoch,omitzero"`

	// Who counted, as far as it was told.
	Pod         string `json:"pod,omitzero"`
	Namespace   string `json:"namespace,omitzero"`
	Application string `json:"application,omitzero"` // of counts that name none
	Release     string `json:"release,omitzero"`     // version of the application

	Flags []Flag `json:"flags,omitempty"`
	// Other has the evaluations of flags that there was no room to tell apart.
	Other []Count `json:"other,omitempty"`
	// NotFound has how often flags were asked for that do not exist, and NotFoundOthers
	// how often such with keys that there was no room for.
	NotFound       map[string]uint64 `json:"notFound,omitempty"`
	NotFoundOthers uint64            `json:"notFoundOthers,omitzero"`
	// Unknown are the connected clients that evaluate by themselves, by protocol: how often
	// they do is not known.
	Unknown map[string]int `json:"unknown,omitempty"`
	// Unchanged is how many answers for all flags were not made because clients had them,
	// where it is not known which flags those had: their evaluations are in no count.
	Unchanged uint64 `json:"unchanged,omitzero"`
	// Exposures and Outcomes are events, one by one. They have nothing to do with the counts.
	Exposures []Exposure `json:"exposures,omitempty"`
	Outcomes  []Outcome  `json:"outcomes,omitempty"`
	// Lost is what was counted since the report before and could not be kept.
	Lost Lost `json:"lost,omitzero"`
}

// Flag has the counts of one version of a flag.
type Flag struct {
	Key      string  `json:"key"`
	Revision uint64  `json:"revision,omitzero"`
	Counts   []Count `json:"counts"`
}

// Count is how often something was answered.
type Count struct {
	Variant string `json:"variant,omitzero"` // empty if the application's own default applied
	Reason  string `json:"reason"`
	Code    string `json:"code,omitzero"` // of an error
	// Rule is the number of the rule that answered, from 1; 0 if none did.
	Rule        int    `json:"rule,omitzero"`
	Application string `json:"application,omitzero"`
	Bulk        bool   `json:"bulk,omitzero"` // in answers for all flags at once
	N           uint64 `json:"n"`
}

// Lost is how much was counted and not kept.
type Lost struct {
	Reports     uint64 `json:"reports,omitzero"`
	Evaluations uint64 `json:"evaluations,omitzero"` // in these reports, as far as it is known
	Exposures   uint64 `json:"exposures,omitzero"`   // in these reports, and those that there was no room for
	Outcomes    uint64 `json:"outcomes,omitzero"`    // likewise
}

// Empty reports whether a report says nothing but who made it.
func (r *Report) Empty() bool {
	return r.Sum() == 0 && len(r.NotFound) == 0 && r.NotFoundOthers == 0 && len(r.Unknown) == 0 && r.Unchanged == 0 &&
		len(r.Exposures) == 0 && len(r.Outcomes) == 0 && r.Lost == Lost{}
}

// Sum returns how many evaluations a report has.
func (r *Report) Sum() (n uint64) {
	for _, f := range r.Flags {
		for _, c := range f.Counts {
			n += c.N
		}
	}
	for _, c := range r.Other {
		n += c.N
	}
	return n
}

// ErrVersion is returned for reports in a format that is not known here.
var ErrVersion = errors.New("a report of another format")

// Encode returns the bytes of a report. One that is too large is refused: see Split.
func Encode(r Report) ([]byte, error) {
	r.Version = Version
	if err := r.validate(); err != nil {
		return nil, err
	}
	data, err := json.Marshal(r, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("usage report: %w", err)
	}
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("usage report: %d bytes, at most %d are allowed", len(data), MaxBytes)
	}
	return data, nil
}

// Decode decodes a report, and refuses what exceeds a limit.
func Decode(data []byte) (Report, error) {
	var r Report
	if len(data) > MaxBytes {
		return r, fmt.Errorf("usage report: %d bytes, at most %d are allowed", len(data), MaxBytes)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return Report{}, fmt.Errorf("usage report: %w", err)
	}
	if err := r.validate(); err != nil {
		return Report{}, err
	}
	return r, nil
}

func (r *Report) validate() error {
	if r.Version != Version {
		return fmt.Errorf("usage report: format %d: %w", r.Version, ErrVersion)
	}
	if r.N == 0 {
		return errors.New("usage report: its number is 0: reports are numbered from 1")
	}
	if r.To.Before(r.From) {
		return errors.New("usage report: it ends before it begins")
	}
	if len(r.Epoch) > MaxLabel {
		return errors.New("usage report: the epoch is too long")
	}
	return errors.Join(r.validateBoot(), r.validateWho(), r.validateCounts(), r.validateEvents())
}

func (r *Report) validateBoot() error {
	if err := status.ValidateBoot(r.Boot); err != nil {
		return fmt.Errorf("usage report: %w", err)
	}
	return nil
}

func (r *Report) validateWho() error {
	if len(r.Pod) > MaxName || max(len(r.Namespace), len(r.Application), len(r.Release)) > MaxLabel {
		return errors.New("usage report: a name is too long")
	}
	if len(r.Unknown) > maxClients {
		return fmt.Errorf("usage report: %d protocols, at most %d are allowed", len(r.Unknown), maxClients)
	}
	for protocol, n := range r.Unknown {
		if len(protocol) > MaxLabel || n < 0 {
			return errors.New("usage report: clients that cannot be")
		}
	}
	return nil
}

func (r *Report) validateCounts() error {
	if len(r.NotFound) > MaxNotFound {
		return fmt.Errorf("usage report: %d keys of flags that do not exist, at most %d are allowed", len(r.NotFound), MaxNotFound)
	}
	for key := range r.NotFound {
		if len(key) > maxKey {
			return errors.New("usage report: a key of a flag that does not exist is too long")
		}
	}
	for i := range r.Flags {
		f := &r.Flags[i]
		if f.Key == "" || len(f.Key) > maxKey {
			return errors.New("usage report: a flag whose key is missing or too long")
		}
		for _, c := range f.Counts {
			if err := c.validate(); err != nil {
				return err
			}
		}
	}
	for _, c := range r.Other {
		if err := c.validate(); err != nil {
			return err
		}
	}
	return nil
}

func (c Count) validate() error {
	if len(c.Variant) > maxVariant || max(len(c.Reason), len(c.Code), len(c.Application)) > MaxLabel || c.Rule < 0 {
		return errors.New("usage report: a count that cannot be")
	}
	return nil
}
