package risk

import (
	"errors"
	"fmt"
	"time"
)

// Settings say what is risky in an environment. The zero value is not useful: see DefaultSettings.
type Settings struct {
	// Protected marks an environment where every change is risky.
	Protected bool `json:"protected,omitzero"`
	// Tags are those of flags every change of which is risky.
	Tags []string `json:"tags,omitempty"`
	// Share is the part of the users, from 0 to 1, from which on a change of their answer is risky. 0 turns this off.
	Share float64 `json:"share,omitzero"`
	// Dependants is the number of flags from which on a change of what they depend on is risky. 0 turns this off.
	Dependants int `json:"dependants,omitzero"`
	// Freezes are the times in which every change is risky.
	Freezes []Freeze `json:"freezes,omitempty"`
}

// maxRiskEntries bounds the tags, and the freeze windows.
const maxRiskEntries = 100

// Freeze is a time, from and up to but not including, in which nothing is to be changed without need.
type Freeze struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Reason string    `json:"reason,omitempty"`
}

// DefaultSettings returns what holds in an environment until it is set otherwise: prod and production are protected.
func DefaultSettings(environment string) Settings {
	return Settings{
		Protected:  environment == "prod" || environment == "production",
		Tags:       []string{"security", "payments"},
		Share:      0.25,
		Dependants: 5,
	}
}

// Validate reports why the settings cannot hold.
func (r Settings) Validate() error {
	switch {
	case r.Share < 0 || r.Share > 1:
		return errors.New("the share of users must be a number from 0 to 1")
	case r.Dependants < 0:
		return errors.New("the number of dependants must be 0 or more")
	}
	if len(r.Tags) > maxRiskEntries || len(r.Freezes) > maxRiskEntries {
		return fmt.Errorf("there are too many entries: at most %d tags and %d freeze windows are allowed", maxRiskEntries, maxRiskEntries)
	}
	for _, f := range r.Freezes {
		if !f.From.Before(f.To) {
			return errors.New("a freeze window must end after it begins")
		}
		if f.From.UTC().Year() < 0 || f.To.UTC().Year() > 9999 {
			return errors.New("a freeze window must lie between the years 0 and 9999 in UTC")
		}
	}
	return nil
}
