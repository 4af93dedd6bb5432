package lifecycle

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Action is what becomes of a flag by itself once it has expired.
type Action string

// The actions.
const (
	Report         Action = "report"          // it is told, and nothing else
	Freeze         Action = "freeze"          // everyone gets the same variant
	ProposeRemoval Action = "propose-removal" // a change request wants it archived
)

// What FreezeTo can be besides the name of a variant.
const (
	ToDefault = "defaultVariant"
	ToOff     = "offVariant"
)

// Policy is what holds in an environment for flags that grow old. Its zero value is not useful: see DefaultPolicy.
type Policy struct {
	ExpiringDays int `json:"expiringDays"` // before its expires a flag is expiring
	StaleDays    int `json:"staleDays"`    // without a change until a flag is stale
	// OnExpiry says what becomes of expired flags, by their kind. Kinds that are not named are reported only.
	OnExpiry map[string]OnExpiry `json:"onExpiry,omitempty"`
}

// OnExpiry is what becomes of an expired flag.
type OnExpiry struct {
	Action Action `json:"action"`
	// FreezeTo is the variant that everyone gets: ToDefault, ToOff or a name; empty means ToDefault.
	FreezeTo string `json:"freezeTo,omitempty"`
}

const (
	maxDays     = 3650
	maxFreezeTo = 256 // bytes
	day         = 24 * time.Hour
)

// DefaultPolicy returns what holds until it is set otherwise: everything is reported, nothing is done.
func DefaultPolicy() Policy { return Policy{ExpiringDays: 14, StaleDays: 90} }

// Kinds returns the kinds of flags that something can be done to. Flags of kind ops are kill switches, which are never touched.
func Kinds() []string { return []string{"experiment", "permission", "release"} }

// Actions returns all actions.
func Actions() []Action { return []Action{Report, Freeze, ProposeRemoval} }

// Settings returns how long is long.
func (p Policy) Settings() Settings {
	return Settings{ExpiringWithin: time.Duration(p.ExpiringDays) * day, StaleAfter: time.Duration(p.StaleDays) * day}
}

// Acts reports whether anything is done to flags by itself.
func (p Policy) Acts() bool {
	for _, rule := range p.OnExpiry {
		if rule.Action != Report {
			return true
		}
	}
	return false
}

// Validate reports why the policy cannot hold.
func (p Policy) Validate() error {
	switch {
	case p.ExpiringDays < 0 || p.ExpiringDays > maxDays:
		return fmt.Errorf("expiringDays must be a number from 0 to %d", maxDays)
	case p.StaleDays < 1 || p.StaleDays > maxDays:
		return fmt.Errorf("staleDays must be a number from 1 to %d", maxDays)
	}
	for kind, rule := range p.OnExpiry {
		if err := rule.validate(kind); err != nil {
			return err
		}
	}
	return nil
}

func (o OnExpiry) validate(kind string) error {
	switch {
	case kind == "ops":
		return errors.New("flags of kind ops are kill switches, and are never changed by themselves: leave ops out")
	case !slices.Contains(Kinds(), kind):
		return fmt.Errorf("there is no kind of flags %q that something can be done to: use %v", kind, Kinds())
	case !slices.Contains(Actions(), o.Action):
		return fmt.Errorf("onExpiry of kind %s cannot be %q: use one of %v", kind, o.Action, Actions())
	case o.FreezeTo != "" && o.Action != Freeze:
		return fmt.Errorf("freezeTo of kind %s goes with the action %s only", kind, Freeze)
	case len(o.FreezeTo) > maxFreezeTo:
		return fmt.Errorf("freezeTo of kind %s has %d bytes, at most %d are allowed", kind, len(o.FreezeTo), maxFreezeTo)
	}
	return nil
}
