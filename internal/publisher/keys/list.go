package keys

import "github.com/flagside/flagside/sync/changelog"

// Use says what a key of a keys note is used for.
type Use string

// The uses.
const (
	// UseSigning is the key that publishers with this directory sign with.
	UseSigning Use = "signs"
	// UsePrevious is the key that they signed with before a rotation that is not finished.
	UsePrevious Use = "signed before the rotation"
	// UseElsewhere is a key that is not in this directory.
	UseElsewhere Use = "is not in this directory"
)

// Listed is a signing key that the keys note lists.
type Listed struct {
	changelog.Key

	Use Use
}

// Listing is what a directory of keys holds.
type Listing struct {
	Installation string
	Version      uint64
	Keys         []Listed
	// Signing is the key in signing.key. It is retired if Keys does not have it.
	Signing  changelog.Key
	Retired  bool
	Roots    []changelog.Key // that are trusted
	HasRoot  bool            // the root key lies in the directory
	Warnings []string
}

// List returns what a directory of keys holds. It changes nothing.
func List(dir string) (Listing, error) {
	s, err := directory{path: dir}.load()
	if err != nil {
		return Listing{}, err
	}
	_, previous, err := s.optional(PreviousFile)
	if err != nil {
		return Listing{}, err
	}
	k, err := s.keys()
	if err != nil {
		return Listing{}, err
	}
	n := s.note()
	l := Listing{
		Installation: n.Installation, Version: n.Version, Signing: s.signing, Retired: !s.ring.Signs(s.signing.ID),
		Roots: s.trust.Roots(), HasRoot: k.HasRoot, Warnings: k.Warnings,
	}
	for _, key := range n.PublicKeys() {
		l.Keys = append(l.Keys, Listed{Key: key, Use: use(key, s.signing, previous)})
	}
	return l, nil
}

func use(key, signing, previous changelog.Key) Use {
	switch key {
	case signing:
		return UseSigning
	case previous:
		return UsePrevious
	default:
		return UseElsewhere
	}
}
