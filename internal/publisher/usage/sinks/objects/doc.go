// Package objects keeps files where others read them: in a directory, or in a bucket that speaks the protocol of S3. A file is there whole or not at all,
// and one that is put again takes the place of the one before in one step.
//
// # Concurrency properties
//
// Directory and Bucket are safe for concurrent use, from several processes too.
package objects
