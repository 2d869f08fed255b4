// What the sandbox sees of the file system. man mount_namespaces, mount_setattr.
#pragma once

#include <string>
#include <vector>

namespace lab::sandbox {

// Own /proc of the new pid namespace, and a /tmp that starts empty but for the folders of `visible` that lie beneath
// it. A `visible` that is /tmp itself leaves /tmp as it is.
void mount_own_proc_and_tmp(const std::vector<std::string>& visible);

// /sys read-only and of the calling thread's network namespace; /dev with null, zero, full, random, urandom, tty, shm
// and terminals of its own.
void mount_for_programs();

}  // namespace lab::sandbox
