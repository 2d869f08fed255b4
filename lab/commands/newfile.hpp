// Files that must not be there yet, made with the invoking user's rights.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace lab::commands {

// Where a new scenario of this name goes: NAME.toml in ./scenarios where there is such a folder, else here; a path
// stays what it is. Throws UsageError for what is no name.
std::filesystem::path place_for(const std::string& name);

// Throws UsageError where write_new() would: for those that write only after a run.
void must_be_new(const std::filesystem::path& file);
// Throws UsageError when it exists.
void write_new(const std::filesystem::path& file, std::string_view text,
               std::filesystem::perms permissions = std::filesystem::perms(0666));
// The folders above `file` that are missing.
void create_folders(const std::filesystem::path& file);

}  // namespace lab::commands
