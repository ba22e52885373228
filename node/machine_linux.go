package node

import "syscall"

// Magic numbers of file systems, as statfs tells them.
var fileSystems = map[int64]struct {
	kind fsKind
	name string
}{
	0x6969: {fsNetwork, "NFS"}, 0x517b: {fsNetwork, "SMB"}, 0xff534d42: {fsNetwork, "CIFS"}, 0xfe534d42: {fsNetwork, "SMB 2"}, 0x01021997: {fsNetwork, "9P"},
	0x00c36400: {fsNetwork, "Ceph"}, 0x5346414f: {fsNetwork, "AFS"}, 0x0bd00bd0: {fsNetwork, "Lustre"}, 0x47504653: {fsNetwork, "GPFS"}, 0x01161970: {fsNetwork, "GFS2"},
	0x7461636f: {fsNetwork, "OCFS2"}, 0x65735546: {fsForeign, "FUSE"}, 0x01021994: {fsMemory, "tmpfs"}, 0x858458f6: {fsMemory, "ramfs"},
}

func fileSystem(dir string) (fsKind, string) {
	var st syscall.Statfs_t
	if syscall.Statfs(dir, &st) != nil {
		return fsLocal, ""
	}
	f := fileSystems[int64(st.Type)&0xffffffff]
	return f.kind, f.name
}

// clockState asks the kernel whether something keeps its clock right.
func clockState() (synchronised, known bool) {
	const unsynchronised = 0x0040 // STA_UNSYNC
	var t syscall.Timex
	state, err := syscall.Adjtimex(&t)
	if err != nil {
		return false, false
	}
	return state != 5 && t.Status&unsynchronised == 0, true // 5: TIME_ERROR
}
