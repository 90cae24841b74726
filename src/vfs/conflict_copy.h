#pragma once

#include <optional>

#include "meta/content.h"
#include "meta/look_again.h"
#include "vfs/core.h"

namespace weir::vfs {

/// Keeps content that was written here before other nodes found this one dead, of a file that they changed since
/// (docs/consistency.md, "Conflict copies"): under a name of its own, beside the file where it was opened, or in the
/// root if that is not known or gone. Reported. Nothing is kept if the file has all that `change` makes of it already.
/// `whole` is the change with the whole content. Returns the file as the others left it. NotFound: they removed it.
/// Blocks.
Result<meta::Published> keep_conflict_copy(Core& core, const std::optional<meta::NamePlace>& opened_as,
                                           const meta::Publish& change, meta::Publish whole);

}  // namespace weir::vfs
