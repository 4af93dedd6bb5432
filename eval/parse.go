package eval

// ParseFile splits a flagd file into documents: the settings document first (if the file has metadata or c is not empty), then the
// members of $evaluators as segments in dependency order, then the flags in key order. All revisions are 0.
//
// Every file that flagd's own JSON schema accepts is accepted. All problems are reported at once, each with its line and column; the
// documents are usable if Problems.Err returns nil.
func ParseFile(data []byte, c Compatibility) ([]Document, Problems) {
	return nil, nil
}
