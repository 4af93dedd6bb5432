package preview

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/status"
)

// Version is the format of questions and answers.
const Version = 1

// The limits of a question.
const (
	// MaxQuestion is the size of a question. NATS takes messages of 1 MiB.
	MaxQuestion = 960 << 10
	// MaxAsked is how many sidecars one question is for.
	MaxAsked = 64
	// Validity is how far the clock of a sidecar may be from the time of a question.
	Validity = time.Minute
)

// ErrTooLarge says that a change is too large to be asked about.
var ErrTooLarge = errors.New("the change is too large to be previewed")

// Question asks what would come of the evaluations that there were lately, if some
// documents were others.
type Question struct {
	Version int       `json:"v"`
	ID      string    `json:"id"` // random, see status.NewBoot
	Time    time.Time `json:"time"`
	// Base is where the change was made from. Sidecars that serve less, or another
	// history, do not answer.
	Base changelog.Position `json:"base"`
	To   []string           `json:"to"` // boot ids of the sidecars that are asked
	// Documents are those that would be others. One without a body would be gone.
	Documents []Document `json:"documents"`
}

// Document is a document that would be another one.
type Document struct {
	Kind document.Kind `json:"kind"`
	Key  string        `json:"key"`
	Body []byte        `json:"body,omitempty"` // base64, so that it stays as it is
}

// NewQuestion returns the bytes of a question about an environment, and their
// signature. It fails with [ErrTooLarge] for a change that no message can hold.
func NewQuestion(s *changelog.Signer, environment string, q Question) ([]byte, changelog.Signature, error) {
	q.Version = Version
	if err := q.validate(); err != nil {
		return nil, "", err
	}
	data, err := json.Marshal(q)
	if err != nil {
		return nil, "", fmt.Errorf("preview: %w", err)
	}
	if len(data) > MaxQuestion {
		return nil, "", fmt.Errorf("%w: %d bytes, at most %d can be sent", ErrTooLarge, len(data), MaxQuestion)
	}
	signature, err := changelog.SignPreview(s, environment, data)
	return data, signature, err
}

// ErrVersion is returned for questions and answers in a format that is not known here.
var ErrVersion = errors.New("a preview of another format")

// ReadQuestion returns a question that a publisher signed. It fails with
// [changelog.ErrUnsigned] for all others.
func ReadQuestion(k *changelog.Keyring, environment string, data []byte, signature changelog.Signature) (Question, error) {
	if len(data) > MaxQuestion {
		return Question{}, fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrTooLarge, len(data), MaxQuestion)
	}
	if err := changelog.VerifyPreview(k, environment, data, signature); err != nil {
		return Question{}, err
	}
	return decodeQuestion(data)
}

func decodeQuestion(data []byte) (Question, error) {
	var q Question
	if err := json.Unmarshal(data, &q); err != nil {
		return Question{}, fmt.Errorf("preview: %w", err)
	}
	if err := q.validate(); err != nil {
		return Question{}, err
	}
	return q, nil
}

func (q *Question) validate() error {
	switch {
	case q.Version != Version:
		return fmt.Errorf("preview: format %d: %w", q.Version, ErrVersion)
	case len(q.To) == 0 || len(q.To) > MaxAsked:
		return fmt.Errorf("preview: it is for %d sidecars, want 1 to %d", len(q.To), MaxAsked)
	case len(q.Documents) == 0 || len(q.Documents) > changelog.MaxEntries:
		return fmt.Errorf("preview: %d documents, want 1 to %d", len(q.Documents), changelog.MaxEntries)
	}
	for _, boot := range append(slices.Clip(q.To), q.ID) {
		if err := status.ValidateBoot(boot); err != nil {
			return fmt.Errorf("preview: %w", err)
		}
	}
	if err := q.Base.Epoch.Validate(); err != nil {
		return fmt.Errorf("preview: %w", err)
	}
	for _, d := range q.Documents {
		if d.Key == "" || len(d.Key) > document.MaxKey {
			return errors.New("preview: a document without a key, or with one that is too long")
		}
		switch d.Kind {
		case document.KindFlag, document.KindSegment, document.KindSettings:
		default:
			return fmt.Errorf("preview: documents of kind %q cannot be asked about", status.Cut(string(d.Kind), status.MaxLabel))
		}
	}
	return nil
}
