package eval

// Ruleset is a compiled, immutable set of documents.
type Ruleset struct{}

// New returns an empty Ruleset.
func New() *Ruleset { return &Ruleset{} }

// Update returns a Ruleset with the changes applied and the problems of the changed documents and their dependants; r is unchanged.
func (r *Ruleset) Update(changes []Document) (*Ruleset, Problems) { return r, nil }

// Flag returns the flag with the key, or nil if there is none.
func (r *Ruleset) Flag(key string) *Flag { return nil }

// FlagBytes is Flag for a key in a byte slice. It does not allocate.
func (r *Ruleset) FlagBytes(key []byte) *Flag { return nil }

// Flags returns all flags in key order. The slice is shared and must not be modified.
func (r *Ruleset) Flags() []*Flag { return nil }

// Len returns the number of flags.
func (r *Ruleset) Len() int { return 0 }

// Compatibility returns the compatibility that the settings document asks for.
func (r *Ruleset) Compatibility() Compatibility { return "" }

// Problems returns the problems of the documents that stand in the Ruleset.
func (r *Ruleset) Problems() Problems { return nil }
