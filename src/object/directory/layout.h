#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "object/object_store.h"

/// What lies in a directory store besides the objects (docs/formats.md). All of these block.
namespace weir::object {

inline constexpr char kMarkerFile[] = "weir-store";
inline constexpr char kObjectsDirectory[] = "objects";
inline constexpr char kTemporaryDirectory[] = "temporary";

/// Nothing when there is none.
Result<std::optional<Bytes>> read_marker_below(int root);
/// Unavailable when `root`, opened as `path`, has no marker; Invalid when it has another one.
Status check_marker(int root, const std::string& path, std::string_view marker);

/// NotEmpty, naming one of them, when there is anything below `root` that a new store must not be mixed with.
Status check_unused(int root, const std::string& path);

/// Makes the directory and those above it, and their names durable.
Status make_directories_durably(const std::string& path);

/// Removes files of temporary/ that nobody can be writing any more.
Status remove_old_temporaries(int root, const Clock& clock);

ObjectInfo info_of(const struct stat& attributes);

}  // namespace weir::object
