package following

// ReadFrom lets a follower of files read them elsewhere, as another machine has another mount at the same path. It is called before Run.
func (f *Follower) ReadFrom(path string) { f.reader = files{path} }
