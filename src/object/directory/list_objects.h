#pragma once

#include <string_view>

#include "object/object_store.h"

namespace weir::object {

/// ObjectStore::list() over the files below `root`'s objects/. Walks directories in byte order of full names and opens
/// only those that can hold names asked for. Files that cannot be objects by their names are passed over.
Result<ListPage> list_objects(int root, std::string_view prefix, std::string_view after, size_t limit);

}  // namespace weir::object
