package eval

// Share is the part of the users who get a variant: Weight of the sum of all weights.
type Share struct {
	Variant *Variant
	Weight  uint64
}

// Split returns how the rule divides the users among variants if it is nothing but one fractional, whose variants and weights are written
// down. seed is the expression that takes the place of salt and targeting key, as the document has it, nil if none does. ok is false of
// every other rule, of a fractional that chooses no variant, and of one whose seed gives everybody the same. Prerequisites do not count.
func (f *Flag) Split() (shares []Share, seed []byte, ok bool) {
	rule := f.Targeting()
	p, err := parseSyntax(rule, true)
	if err != nil {
		return nil, nil, false
	}
	name, arguments, ok := p.root.operator()
	if !ok || name != "fractional" || arguments.kind != kindArray {
		return nil, nil, false
	}
	by, parts := splitSeed(arguments)
	if by != nil && by.kind != kindNull {
		if _, _, computed := by.operator(); !computed {
			return nil, nil, false
		}
		seed = by.raw(rule)
	}
	values := make([]value, len(parts))
	for i := range parts {
		values[i] = parts[i].value()
	}
	b, ok := newBuckets(values)
	if !ok || b.sum() == 0 {
		return nil, nil, false
	}
	from := uint64(0)
	for i := range b {
		v := f.variants.named(b[i].variant.str)
		if b[i].variant.kind != kindString || v == nil {
			return nil, nil, false
		}
		shares = append(shares, Share{Variant: v, Weight: b[i].end - from})
		from = b[i].end
	}
	return shares, seed, true
}
