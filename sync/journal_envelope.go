package flagsync

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/sync/changelog"
)

// journalVersion is the schema version of the records of journals. What the
// facts in them say has versions of its own.
const journalVersion = 1

// factEnvelope is a record of a journal as it is stored.
type factEnvelope struct {
	Version int              `json:"v"`
	OpID    string           `json:"op"`
	Prev    changelog.Digest `json:"prev"`
	Fact    jsontext.Value   `json:"fact"`
}

func (e factEnvelope) encode() ([]byte, error) {
	if len(e.Fact) > MaxFact {
		return nil, fmt.Errorf("a fact of %d bytes, at most %d are allowed", len(e.Fact), MaxFact)
	}
	data, err := json.Marshal(e, jsontext.AllowDuplicateNames(false))
	if err != nil {
		return nil, err
	}
	_, err = decodeFactEnvelope(data)
	return data, err
}

// decodeFactEnvelope takes a record apart. It refuses unknown, duplicate and
// missing members.
func decodeFactEnvelope(data []byte) (factEnvelope, error) {
	var e factEnvelope
	var version struct {
		Version int `json:"v"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return e, err
	}
	if version.Version != journalVersion {
		return e, fmt.Errorf("%w: %d", changelog.ErrVersion, version.Version)
	}
	if err := json.Unmarshal(data, &e, json.RejectUnknownMembers(true)); err != nil {
		return factEnvelope{}, err
	}
	if e.OpID == "" || len(e.Fact) == 0 {
		return factEnvelope{}, errors.New("it has no op-id or no fact")
	}
	return e, nil
}
