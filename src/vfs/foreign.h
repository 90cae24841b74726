#pragma once

#include "vfs/core.h"

/// What other nodes did to a file that this one has open, on a volume that several share (docs/consistency.md, "Several
/// nodes").
namespace weir::vfs {

/// Takes note of an inode as it was just read. If another node has published content since the file's was loaded: who
/// opens it from now on gets another file and another node id, and those that have it open go on with the version that
/// they opened. Not while it has unpublished writes, which makes it the node's own. Nor while somebody here may write
/// it: then all that have it open see the new content, after catch_up(). Never blocks.
void see(Core& core, const Inode& inode);

/// The file of a node id that is about to be opened, with its content loaded, as this moment has it: one read. Stale:
/// the name does not lead there any more, or the node id is of a former content, or the file is gone; the kernel shall
/// look the name up again. Blocks.
struct FoundToOpen {
  FileRef file;
  bool again = false;  // it did: there is no second time, or the program would be told
};
Result<FoundToOpen> find_to_open(Core& core, const Caller& caller, KernelNode node);

/// All that have the file open see its content as it is now, unless it has unpublished writes, or the kernel shows the
/// file of an older one by itself. Nothing on a volume of one node. Blocks; never from a thread that answers the kernel
/// then, if catching_up_waits().
Status catch_up(Core& core, File& file);
/// The same for a file that was read as `inode` just now.
Status catch_up(Core& core, File& file, const Inode& inode);
bool catching_up_waits(Core& core, KernelNode node);

/// Looks at all open files: takes note of what other nodes did, and pins what was superseded, so that it is not erased
/// before it is closed. Blocks.
void look_at_open_files(Core& core);
/// Ends a pin; what fails is put right by the next start.
void unpin(Core& core, InodeId inode, uint64_t generation);
/// What a predecessor had pinned is what its descriptors go on with.
Status resume_pinned(Core& core);

}  // namespace weir::vfs
