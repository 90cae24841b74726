#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "object/object_store.h"

/// What a store URL names: a path, relative to the working directory if it does not start with '/', file:///path, or
/// s3://bucket/prefix with options (docs/object-stores.md). Anything else is Invalid, with a sentence for the user. All
/// of these block. Requires: `clock` outlives the store.
namespace weir::object {

/// The URL that means the same from every working directory and environment, as it is kept in the volume's settings:
/// file:///path, or s3:// with endpoint and region. Never with a secret in it.
Result<std::string> canonical_store_url(std::string_view url);

/// Makes an object store, or takes one that bears this `marker` already. The marker names the volume and its
/// incarnation; limits::kStoreMarkerBytes at most. Exists: the store is another volume's. NotEmpty: other things are
/// there.
Result<std::unique_ptr<ObjectStore>> create_store(std::string_view url, std::string_view marker, const Clock& clock);

/// Opens a store made before. Unavailable: it is not there now. Invalid: its marker is another's.
Result<std::unique_ptr<ObjectStore>> open_store(std::string_view url, std::string_view marker, const Clock& clock);

/// The same for a process that goes on after another one which had it open. The store may be out of reach: its marker
/// is looked at before the first change, as it is anyway.
Result<std::unique_ptr<ObjectStore>> resume_store(std::string_view url, std::string_view marker, const Clock& clock);

/// Nothing when there is no store yet.
Result<std::optional<Bytes>> read_store_marker(std::string_view url);

/// The store has the marker `to` from now on, and who opened it under another one can change nothing any more.
/// Unavailable: it is not there. Invalid: its marker is neither of the two.
Status change_store_marker(std::string_view url, std::string_view from, std::string_view to, const Clock& clock);

}  // namespace weir::object
