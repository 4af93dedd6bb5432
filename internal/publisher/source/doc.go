// Package source makes documents of files, and plans what an environment needs to become what they say.
//
// A source is a file or a directory with a name of its own. It owns the documents that it has put: each has its name as
// [document.SourceMember]. What a source does not name it does not touch; what another source owns is a conflict; and only what it owns
// itself is it asked to delete.
//
// Reading asks the file system, planning asks nothing: the same documents always lead to the same plan.
package source
