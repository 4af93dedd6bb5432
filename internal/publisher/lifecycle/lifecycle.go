// Package lifecycle tells which flags have outlived their purpose. It is pure: no clock, no input, no output.
package lifecycle

import (
	"time"

	"github.com/flagside/flagside/eval"
)

// Stage is where a flag is in its life.
type Stage string

// The stages, by how much they want attention. A flag that is expired is that, whatever else it is.
const (
	Active   Stage = "active"
	Stale    Stage = "stale"    // everyone has had the same answer for long, or it was not asked for
	Expiring Stage = "expiring" // its expires is near
	Expired  Stage = "expired"  // its expires has passed
	// Archived is the stage of a flag that is gone. No flag that exists has it.
	Archived Stage = "archived"
)

// Settings say how long is long.
type Settings struct {
	ExpiringWithin time.Duration // before its expires
	StaleAfter     time.Duration // without a change
	// LastUse returns when a flag was asked for last, zero if it never was, and whether everything is known since StaleAfter. Nil knows nothing.
	LastUse func(key string) (last time.Time, complete bool)
}

// Same reports whether both say the same about time, whatever they know of use.
func (s Settings) Same(other Settings) bool {
	return s.ExpiringWithin == other.ExpiringWithin && s.StaleAfter == other.StaleAfter
}

// Standing is where one flag is in its life, and why.
type Standing struct {
	Flag  *eval.Flag
	Stage Stage
	// LastUse is when the flag was asked for last, zero if that is not known. Unused tells that it is stale because that is long ago.
	LastUse time.Time
	Unused  bool
}

// Everyone returns the variant that every user gets, empty if that depends on the user, or if the application's own default applies; off tells
// that it does for every user.
func (s Standing) Everyone() (variant string, off bool) {
	if !s.Flag.Usable() {
		return "", false
	}
	return everyone(s.Flag)
}

// uniform reports whether every user gets the same.
func (s Standing) uniform() bool {
	variant, off := s.Everyone()
	return off || variant != ""
}

// Of returns where flags are in their lives, in the order of the flags. Revisions up to unchanged are older than StaleAfter. Flags of kind ops and
// permission are never stale: a kill switch waits for the day it is needed.
func Of(flags []*eval.Flag, unchanged uint64, s Settings, now time.Time) []Standing {
	all := make([]Standing, len(flags))
	for i, f := range flags {
		all[i] = of(f, f.Revision() <= unchanged, s, now)
	}
	return all
}

func of(f *eval.Flag, unchanged bool, s Settings, now time.Time) Standing {
	standing := Standing{Flag: f, Stage: Active}
	expires := f.Expires()
	switch {
	case !expires.IsZero() && !now.Before(expires):
		standing.Stage = Expired
	case !expires.IsZero() && expires.Sub(now) <= s.ExpiringWithin:
		standing.Stage = Expiring
	case unchanged && !exempt(f.Kind()) && standing.uniform():
		standing.Stage = Stale
	}
	return standing.used(unchanged, s, now)
}

// used returns s with when the flag was used last. One that has not changed and was not asked for since long is stale.
func (s Standing) used(unchanged bool, settings Settings, now time.Time) Standing {
	if settings.LastUse == nil {
		return s
	}
	last, complete := settings.LastUse(s.Flag.Key())
	s.LastUse = last
	if complete && unchanged && now.Sub(last) > settings.StaleAfter && !exempt(s.Flag.Kind()) {
		s.Unused = true
		if s.Stage == Active {
			s.Stage = Stale
		}
	}
	return s
}

func exempt(kind string) bool { return kind == "ops" || kind == "permission" }

// everyone returns the variant that every user gets, or that every user gets the application's default. Rules that choose by the user, and
// prerequisites, which are decided by another flag, give neither.
func everyone(f *eval.Flag) (variant string, off bool) {
	switch {
	case !f.Enabled(): // whatever its offVariant is: that is for flags whose prerequisites are not met
		return "", true
	case len(f.Prerequisites()) > 0:
		return "", false
	case len(f.Targeting()) == 0:
		return named(f.DefaultVariant())
	}
	shares, _, ok := f.Split()
	if !ok {
		return "", false
	}
	for _, share := range shares {
		switch {
		case share.Weight == 0:
		case variant == "":
			variant = share.Variant.Name()
		case variant != share.Variant.Name():
			return "", false
		}
	}
	return variant, false
}

func named(v *eval.Variant) (variant string, off bool) {
	if v == nil {
		return "", true
	}
	return v.Name(), false
}
