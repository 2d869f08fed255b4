/* The programs of the kernel collector. They only read the kernel and write to their own maps. */
#include "calls.h"
#include "packets.h"

char LICENSE[] SEC("license") = "GPL";
