#pragma once

#include <functional>
#include <optional>

#include "vfs/core.h"

namespace weir::vfs {

using Needed = std::function<std::optional<uint64_t>(const Draft&, const Given&)>;
using Change = std::function<Status(Draft&, const Given&)>;

/// Runs `change` on the file's draft under the file's mutex, after bringing, without the mutex, every chunk that
/// `needed` asks for. Nothing when the file has no draft. May block on the object store and on holders.
Status with_needed(Core& core, File& file, const Needed& needed, const Change& change, const Waiting& waiting = {});

/// As with_needed(), with a draft made first if there is none, and with its modification time set when `change`
/// succeeds.
Status change_draft(Core& core, File& file, const Needed& needed, const Change& change, const Waiting& waiting = {});

}  // namespace weir::vfs
