#pragma once

#include "vfs/core.h"

namespace weir::vfs {

/// Publishes what was written to the file and is not published yet. Nothing to do is success; so is a file that is
/// gone. After an error the draft is still there, and publishing may be tried again. Blocks on hashing, disk and
/// engine.
Status publish(Core& core, meta::RequestId request, File& file);

/// Commits the attributes that the file's draft carries, ahead of its content, which stays unpublished. Nothing to do
/// is success; so is a file that is gone. Blocks on the engine.
Status commit_carried(Core& core, File& file);
/// The same by inode; one that is not in use carries nothing.
Status commit_carried_of(Core& core, InodeId inode);

/// Makes what was published here safe against power loss: image or small content, journal, and names.
Status sync_published(Core& core, File& file);

/// Ends a live draft that nobody can see or change any more: what it holds is published, and its file becomes the image
/// of that. Nothing to do is success. Busy: somebody has it mapped for writing still.
Status settle_live(Core& core, File& file);

/// Blocks: until every chunk of the published content is in the object store, or `keep_going` says no (Interrupted). A
/// zone of one node has no second one: there, this is what `zone` waits for too.
Status wait_until_stored(Core& core, InodeId id, const std::function<bool()>& keep_going);

/// Hashes the chunk that the last write completed: in the background, or on this thread if that is behind.
void hash_behind_writer(Core& core, const std::shared_ptr<File>& file);

/// Bytes that publishing this file would have to hash first.
bool publishing_is_long(File& file);

}  // namespace weir::vfs
