#include "bench/measure/groups.h"

namespace weir::bench {

std::vector<Group> all_groups(const Options& options, bool passthrough) {
  const Sizes& sizes = options.sizes;
  return {name_group(sizes), tree_group(sizes),    read_group(sizes, passthrough),
          fill_group(sizes), store_group(options), write_group(sizes),
          idle_group(sizes), memory_group(sizes)};
}

}  // namespace weir::bench
