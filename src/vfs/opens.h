#pragma once

#include "vfs/core.h"

/// How descriptors are served: by the kernel itself, through its page cache, or directly (docs/kernel-channel.md, "Open
/// modes").
namespace weir::vfs {

/// Finds out under which of its node ids the kernel opens the file. Stale: it shall look the name up again; not if it
/// has done so `again` for this open.
Status find_sight(Core& core, const Caller& caller, File& file, KernelNode node, bool again = false);
/// Chooses the mode of a new descriptor and counts it; fills all but the handle. Stale: as above. Requires: the version
/// is loaded, find_sight() was asked, and O_TRUNC done.
Result<Opened> begin_open(Core& core, const Caller& caller, const Handle& handle, KernelNode node, bool again = false);
/// The file was changed through a node id of `epoch`: pages that the kernel has of others of its node ids are gone
/// when it returns. Blocks, if there are such; never from a thread that answers the kernel then (write_is_local()).
void show_change(Core& core, File& file, uint16_t epoch);
/// The kernel has the right size and no pages of the file by these epochs' node ids when it returns. As above.
Status show_to(Core& core, File& file, const std::vector<uint16_t>& epochs);
/// The same for one node id that nobody has open, of content of `size` bytes: brings none of them.
void show_size(Core& core, KernelNode node, uint64_t size);
/// Readers see the file of the published image itself, by a descriptor or by a mapping that is left of one.
bool is_shown(Core& core, File& file) REQUIRES(file.mutex);
/// A request came by the descriptor, so the kernel has taken the answer to its open.
void settle_open(Handle& handle);
/// The descriptor is closed. Busy: the file has a live draft that the janitor must settle later.
Status end_open(Core& core, Handle& handle);

}  // namespace weir::vfs
