package eval

import "sync/atomic"

// failures counts the evaluations of a flag that ended with an error. All versions of a flag share it, so that it never falls.
type failures struct{ parse, general atomic.Uint64 }

// count adds one evaluation that ended with code. It takes no lock and allocates nothing.
func (f *failures) count(code ErrorCode) {
	switch {
	case f == nil:
	case code == ErrorParse:
		f.parse.Add(1)
	default:
		f.general.Add(1)
	}
}

// Errors returns how many evaluations of the flag, of this and all earlier versions, ended with ErrorParse and with ErrorGeneral. Those
// that Explain and Try make and those of a flag as a prerequisite of another are not among them.
func (f *Flag) Errors() (parse, general uint64) {
	if f.failures == nil {
		return 0, 0
	}
	return f.failures.parse.Load(), f.failures.general.Load()
}

// failuresOf returns the counts that the next version of a flag goes on with.
func (u *update) failuresOf(key string) *failures {
	if old := u.before.flags.get(key); old != nil && old.failures != nil {
		return old.failures
	}
	return new(failures)
}
